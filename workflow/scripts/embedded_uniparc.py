"""Build one UniParc FASTA chunk from the human proteome in a wheel."""

import argparse

from pfamformer.command import run
from pfamformer.sequences.fasta import write_fasta
from pfamformer.sources.embedded import read_proteome, uniparc_records


def main() -> None:
    """Parse, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proteome", required=True, help="wheel with the human proteome")
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    write_fasta(arguments.output, uniparc_records(read_proteome(arguments.proteome)))


if __name__ == "__main__":
    run(main)
