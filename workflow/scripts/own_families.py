"""Make Pfam-A.seed.gz and pfamseq.gz from families of your own."""

import argparse

import pandas as pd

from pfamformer.command import run
from pfamformer.families.domains import judge
from pfamformer.sources.labelled import read_labelled, read_proteins
from pfamformer.sources.own import write_sources
from pfamformer.tables import SCHEMAS, write_table


def main() -> None:
    """Parse, read, align, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", required=True, help="Stockholm, labelled FASTA or TSV")
    parser.add_argument("--proteins", help="FASTA of the full-length proteins")
    parser.add_argument("--columns", nargs="*", default=[], help="of a TSV, as key=name")
    parser.add_argument("--min-domains", type=int, default=1, help="of a family")
    parser.add_argument("--max-domains", type=int, default=1_000_000, help="of a family")
    parser.add_argument("--max-reject-share", type=float, default=0.001, help="share of rows")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed-alignments", required=True, help="output: Pfam-A.seed.gz")
    parser.add_argument("--pfamseq", required=True, help="output: pfamseq.gz")
    parser.add_argument("--rejects", required=True, help="output: rejects.tsv")
    arguments = parser.parse_args()
    columns = dict(pair.split("=", 1) for pair in arguments.columns)
    proteins = read_proteins(arguments.proteins) if arguments.proteins else None
    labelled = read_labelled(arguments.families, proteins, columns)
    judge(arguments.families, labelled.rejects, labelled.rows, arguments.max_reject_share)
    write_sources(
        labelled,
        proteins,
        arguments.seed_alignments,
        arguments.pfamseq,
        least=arguments.min_domains,
        most=arguments.max_domains,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    rejects = [(arguments.families, *row) for row in labelled.rejects]
    table = pd.DataFrame(rejects, columns=SCHEMAS["rejects"].names)
    write_table(table, "rejects", arguments.rejects)


if __name__ == "__main__":
    run(main)
