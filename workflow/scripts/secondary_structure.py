"""Secondary structure of protein chains from their PDB files."""

import argparse

from pfamformer.analysis.secondary import secondary_structure
from pfamformer.command import run
from pfamformer.tables import write_table


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", required=True, nargs="+", help="PDB files")
    parser.add_argument("--min-length", required=True, type=int, help="residues of a chain")
    parser.add_argument("--output", required=True, help="output: task.parquet")
    arguments = parser.parse_args()
    table = secondary_structure(arguments.structures, arguments.min_length)
    write_table(table, "task", arguments.output)


if __name__ == "__main__":
    run(main)
