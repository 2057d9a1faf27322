"""Write the full-length sequence of every protein with a domain, each domain checked against it."""

import argparse

from pfamformer.command import log, run
from pfamformer.families.proteins import full_length


def main() -> None:
    """Parse, stream, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--pfamseq", required=True, help="FASTA of full-length proteins")
    parser.add_argument("--output", required=True, help="proteins.parquet")
    arguments = parser.parse_args()
    log.info("%d proteins", full_length(arguments.domains, arguments.pfamseq, arguments.output))


if __name__ == "__main__":
    run(main)
