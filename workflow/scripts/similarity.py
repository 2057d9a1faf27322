"""Align all pairs of domains within each family."""

import argparse

from pfamformer.command import run
from pfamformer.families.similarity import align_within_families
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, align, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="similarity.parquet")
    arguments = parser.parse_args()
    pairs = align_within_families(read_table("domains", arguments.domains), arguments.threads)
    write_table(pairs, "similarity", arguments.output)


if __name__ == "__main__":
    run(main)
