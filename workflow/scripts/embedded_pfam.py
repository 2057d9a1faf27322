"""Build Pfam-A.seed.gz and pfamseq.gz from the human proteome and Pfam profiles in wheels."""

import argparse

from pfamformer.command import run
from pfamformer.sequences.fasta import write_fasta
from pfamformer.sources.embedded import pfamseq_records, read_proteome, write_seed


def main() -> None:
    """Parse, search and align, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proteome", required=True, help="wheel with the human proteome")
    parser.add_argument("--profiles", required=True, help="wheel with Pfam profiles")
    parser.add_argument("--families", required=True, nargs="+", help="Pfam accessions")
    parser.add_argument("--max-domains", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed-alignments", required=True, help="output: Pfam-A.seed.gz")
    parser.add_argument("--regions", required=True, help="output: Pfam-A.regions.tsv.gz")
    parser.add_argument("--pfamseq", required=True, help="output: pfamseq.gz")
    arguments = parser.parse_args()
    write_fasta(arguments.pfamseq, pfamseq_records(read_proteome(arguments.proteome)))
    write_seed(
        arguments.proteome,
        arguments.profiles,
        arguments.families,
        arguments.seed_alignments,
        arguments.regions,
        max_domains=arguments.max_domains,
        seed=arguments.seed,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(main)
