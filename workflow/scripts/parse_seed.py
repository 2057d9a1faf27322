"""Read seed alignments into the domains and families tables."""

import argparse

from pfamformer.command import run
from pfamformer.families.clans import read_clans
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.tables import write_table


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", required=True, help="Stockholm file, such as Pfam-A.seed.gz")
    parser.add_argument("--clans", help="Pfam-A.clans.tsv.gz; without it the seed's own clans")
    parser.add_argument("--min-length", type=int, default=10, help="shortest domain, residues")
    parser.add_argument("--max-ambiguous", type=float, default=0.5, help="share of residues")
    parser.add_argument("--max-reject-share", type=float, default=0.001, help="share of rows")
    parser.add_argument("--domains", required=True, help="output: domains.parquet")
    parser.add_argument("--families", help="output: families.tsv")
    parser.add_argument("--rejects", required=True, help="output: rejects.tsv")
    arguments = parser.parse_args()
    limits = Limits(arguments.min_length, arguments.max_ambiguous, arguments.max_reject_share)
    clans = read_clans(arguments.clans) if arguments.clans else None
    seed = parse_seed(arguments.seed, arguments.domains, limits, clans)
    if arguments.families:
        write_table(seed.families, "families", arguments.families)
    write_table(seed.rejects, "rejects", arguments.rejects)


if __name__ == "__main__":
    run(main)
