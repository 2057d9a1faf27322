"""Predict held-out domains by their MMseqs2 neighbours and by the majority class."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.methods import NEIGHBOURS
from pfamformer.methods.neighbours import all_scores
from pfamformer.methods.outputs import SCORED, parts_of, write_outputs
from pfamformer.tables import read_table


def main() -> None:
    """Parse, search, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="folder of all baselines")
    parser.add_argument("--name", required=True, help="folder of this split in each baseline's")
    arguments = parser.parse_args()
    parts = parts_of(read_table("domains", arguments.domains), read_table("split", arguments.split))
    found = {part: all_scores(parts[part], parts["train"], arguments.threads) for part in SCORED}
    for name, method in NEIGHBOURS.items():
        write_outputs(
            {part: scores[name] for part, scores in found.items()},
            parts,
            arguments.output / name / arguments.name,
            method=method,
            run=name,
            limit=arguments.candidates,
        )


if __name__ == "__main__":
    run(main)
