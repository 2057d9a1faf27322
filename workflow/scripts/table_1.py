"""Table 1: masked residues, every pretraining run."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.report.items import write_item
from pfamformer.report.table_1 import describe, make_table


def main() -> None:
    """Parse, average, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--losses", required=True, nargs="+", help="TSVs of the rule masked_loss")
    parser.add_argument("--runs", required=True, nargs="+")
    parser.add_argument("--corpora", required=True, nargs="+", help="what the runs read")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: table_1.tsv")
    parser.add_argument("--item", required=True, help="output: table_1.json")
    arguments = parser.parse_args()
    table = make_table(
        pd.concat([pd.read_csv(path, sep="\t") for path in arguments.losses]),
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    corpora = dict(zip(arguments.runs, arguments.corpora, strict=True))
    write_item(describe(table, corpora), arguments.item)


if __name__ == "__main__":
    run(main)
