"""Table 7: how many ancestors of called terms are called too."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.evaluation.ancestors import THRESHOLDS, ancestors_of, recovery
from pfamformer.evaluation.terms import questions, read_calls
from pfamformer.methods.term_combination import matrix
from pfamformer.report.items import write_item
from pfamformer.report.table_7 import COLUMNS, NAMES, describe, published
from pfamformer.tables import read_table


def main() -> None:
    """Parse, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--calls", required=True, nargs="+", help="calls.parquet of networks")
    parser.add_argument("--numbers", required=True, help="go_baselines.tsv")
    parser.add_argument("--table", required=True, help="output: table_7.tsv")
    parser.add_argument("--item", required=True, help="output: table_7.json")
    arguments = parser.parse_args()
    terms = read_table("terms", arguments.terms)
    asked = questions(terms, read_table("annotations", arguments.annotations))
    files = [read_calls(path) for path in arguments.calls]
    rows = []
    for question in asked:
        ancestors = ancestors_of(question.graph)
        for calls in files:
            scores = matrix(calls, question)
            for threshold in THRESHOLDS:
                found = recovery(scores, ancestors, threshold)
                rows.append(
                    [NAMES[question.name], calls.method, calls.run, threshold, found.terms,
                     100 * found.share, 100 * found.complete, published(question.name, threshold)]
                )  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_item(describe(table, pd.read_csv(arguments.numbers, sep="\t")), arguments.item)


if __name__ == "__main__":
    run(main)
