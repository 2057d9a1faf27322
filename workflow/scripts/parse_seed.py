"""Read seed alignments into the domains and families tables."""

import argparse

from pfamformer.command import atomic_path, run
from pfamformer.families.domains import parse_seed
from pfamformer.tables import write_table


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", required=True, help="Stockholm file, such as Pfam-A.seed.gz")
    parser.add_argument("--min-length", type=int, default=10, help="shortest domain, residues")
    parser.add_argument("--max-reject-share", type=float, default=0.001)
    parser.add_argument("--domains", required=True, help="output: domains.parquet")
    parser.add_argument("--families", required=True, help="output: families.tsv")
    parser.add_argument("--rejects", required=True, help="output: rejects.tsv")
    arguments = parser.parse_args()
    seed = parse_seed(
        arguments.seed,
        minimum=arguments.min_length,
        max_reject_share=arguments.max_reject_share,
    )
    write_table(seed.domains, "domains", arguments.domains)
    write_table(seed.families, "families", arguments.families)
    with atomic_path(arguments.rejects) as temporary:
        seed.rejects.to_csv(temporary, sep="\t", index=False)


if __name__ == "__main__":
    run(main)
