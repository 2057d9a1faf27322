"""Embed every domain with a fine-tuned network and classify by neighbours in that space."""

import argparse
from pathlib import Path

import numpy as np

from pfamformer.command import atomic_path, log, run
from pfamformer.methods import EMBEDDED
from pfamformer.methods.embedding import per_family, per_instance
from pfamformer.methods.network import embeddings, load_classifier, method_name
from pfamformer.methods.new_families import known_and_new, recognise
from pfamformer.methods.outputs import SCORED, parts_of, write_outputs
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, embed, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="weights.safetensors of the run")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="folder")
    arguments = parser.parse_args()
    device = prepare_device(arguments.threads)
    model, settings, _ = load_classifier(arguments.weights, device)
    domains, split = (read_table(n, getattr(arguments, n)) for n in ("domains", "split"))
    vectors = embeddings(model, settings, domains)
    log.info("%d domains embedded in %d dimensions", *vectors.shape)
    with (
        atomic_path(arguments.output / "embeddings.npy") as temporary,
        open(temporary, "wb") as out,
    ):
        np.save(out, vectors)
    part = domains["id"].map(split.set_index("id")["part"])
    of = {name: vectors[(part == name).to_numpy()] for name in ("train", *SCORED)}
    parts = parts_of(domains, split)
    family = parts["train"]["family"].to_numpy()
    for kind, classify in (("per_family", per_family), ("per_instance", per_instance)):
        scores = {
            p: classify(parts[p], of[p], of["train"], family, arguments.candidates) for p in SCORED
        }
        write_outputs(
            scores,
            parts,
            arguments.output / kind,
            method=f"{EMBEDDED[kind]}, {method_name(settings)}",
            run=f"{arguments.run}_{kind}",
            limit=arguments.candidates,
        )
    _, new = known_and_new(parts["train"]["family"], settings.new_families, settings.seed)
    table = recognise(vectors, domains, part, new, settings.seed)
    with atomic_path(arguments.output / "new_families.tsv") as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(main)
