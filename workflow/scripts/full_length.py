"""Write the full-length sequence of every protein with a domain, each domain checked against it."""

import argparse

from pfamformer.command import run
from pfamformer.families.domains import full_length
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, stream, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--pfamseq", required=True, help="FASTA of full-length proteins")
    parser.add_argument("--output", required=True, help="proteins.parquet")
    arguments = parser.parse_args()
    proteins = full_length(read_table("domains", arguments.domains), arguments.pfamseq)
    write_table(proteins, "proteins", arguments.output)


if __name__ == "__main__":
    run(main)
