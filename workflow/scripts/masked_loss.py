"""Masked-residue loss of every held-out sequence, for a run's untrained and trained network."""

import argparse
from pathlib import Path

import pandas as pd

from pfamformer.analysis.masked_loss import masked_losses, objectives
from pfamformer.analysis.networks import Snapshot
from pfamformer.analysis.windows import draw_windows, sequences_of
from pfamformer.command import atomic_path, run
from pfamformer.config import PretrainSettings, read_run
from pfamformer.sequences.alphabet import encode
from pfamformer.sequences.shards import TokenShards
from pfamformer.tables import read_table
from pfamformer.training.batches import InMemory, Sequences
from pfamformer.training.device import prepare_device


def sample(sequences: Sequences, most: int) -> InMemory:
    """At most this many sequences, evenly spread over the data set."""
    step = max(1, -(-len(sequences) // most))
    return InMemory([sequences[i] for i in range(0, len(sequences), step)])


def main() -> None:
    """Parse, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of the pretraining run")
    parser.add_argument("--run", required=True)
    parser.add_argument("--untrained", required=True, type=Path)
    parser.add_argument("--trained", required=True, type=Path)
    parser.add_argument("--valid", required=True, type=Path, help="validation part of its corpus")
    parser.add_argument("--domains", required=True)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--proteins", required=True)
    parser.add_argument("--sequences", required=True, type=int, help="of each set at most")
    parser.add_argument("--max-length", required=True, type=int)
    parser.add_argument("--budget", required=True, type=int, help="tokens of a batch")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="output: TSV")
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    if not isinstance(settings, PretrainSettings):
        parser.error(f"{arguments.config} is not a pretraining run")
    device = prepare_device(arguments.threads)
    domains, split = (read_table(n, getattr(arguments, n)) for n in ("domains", "split"))
    test = domains[domains["id"].isin(split.loc[split["part"] == "test", "id"])]
    most, longest = arguments.sequences, arguments.max_length
    windows = draw_windows(
        domains, split, read_table("proteins", arguments.proteins),
        most=most, max_length=longest, seed=arguments.seed,
    )  # fmt: skip
    sets = {
        "validation part of its corpus": sample(TokenShards(arguments.valid), most),
        "Pfam domains, test part": sample(InMemory([encode(s) for s in test["sequence"]]), most),
        "proteins around held-out domains": sequences_of(windows),
    }
    tables = []
    for network, path in (("untrained", arguments.untrained), ("trained", arguments.trained)):
        model = Snapshot(0, path).load().to(device)
        for name, sequences in sets.items():
            for hidden, objective in objectives(settings).items():
                found = masked_losses(
                    model, sequences, objective,
                    budget=arguments.budget, max_length=longest, seed=arguments.seed,
                )  # fmt: skip
                about = {"run": arguments.run, "network": network, "sequences": name}
                tables.append(found.assign(**about, hidden=hidden))
    with atomic_path(arguments.output) as temporary:
        pd.concat(tables).to_csv(temporary, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(main)
