"""Write the human proteome of a wheel as FASTA, in the layout of UniParc or of pfamseq."""

import argparse

from pfamformer.command import run
from pfamformer.sequences.fasta import write_fasta
from pfamformer.sources.embedded import pfamseq_records, read_proteome, uniparc_records

LAYOUTS = {"pfamseq": pfamseq_records, "uniparc": uniparc_records}


def main() -> None:
    """Parse, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proteome", required=True, help="wheel with the human proteome")
    parser.add_argument("--layout", required=True, choices=LAYOUTS)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    records = LAYOUTS[arguments.layout]
    write_fasta(arguments.output, records(read_proteome(arguments.proteome)))


if __name__ == "__main__":
    run(main)
