"""Join two finished networks to a cascade; its weights come from the dev part."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.methods import cascade
from pfamformer.methods.combination import method_name, write_about
from pfamformer.methods.network import log_probabilities
from pfamformer.methods.outputs import SCORED, long_scores, parts_of, write_outputs
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, join, fit, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--members", required=True, nargs=2, help="names, the faster one first")
    parser.add_argument("--weights", required=True, nargs=2, type=Path, help="theirs")
    parser.add_argument("--shortlist", type=int, help="families the first one names")
    parser.add_argument("--run", required=True)
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--output", required=True, type=Path, help="folder")
    given = parser.parse_args()
    parts = parts_of(read_table("domains", given.domains), read_table("split", given.split))
    network, settings, families = cascade.join(
        *given.weights, given.shortlist, parts["dev"], prepare_device(given.threads)
    )
    found = cascade.fit(network, settings, families, tuple(given.members), parts["dev"])
    cascade.save(given.output / "weights.safetensors", network, *given.weights)
    # Families beyond the list have no probability; only those on it are written.
    kept = min(given.candidates, network.shortlist)
    scores = {}
    for part in SCORED:
        sequences = parts[part]["sequence"].tolist()
        matrix = log_probabilities(network, settings, sequences)
        scores[part] = long_scores(parts[part], matrix, families, kept)
    write_outputs(
        scores, parts, given.output, method=method_name("cascade", given.members), run=given.run,
        limit=given.candidates, logarithmic=True,
    )  # fmt: skip
    about = {"rule": "cascade", "members": given.members, "shortlist": network.shortlist}
    write_about(given.output, about | vars(found))


if __name__ == "__main__":
    run(main)
