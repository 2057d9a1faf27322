"""Judge networks on TAPE's tasks with states of residues, contacts or values of proteins."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.tasks import COLUMNS, Touching, evaluate
from pfamformer.report.items import write_item
from pfamformer.report.tape import describe
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="+", help="names of runs")
    parser.add_argument("--tasks", required=True, nargs="+", help="name of each run's task")
    parser.add_argument("--truth", required=True, nargs="+", help="task.parquet of each run")
    parser.add_argument("--answers", required=True, nargs="+", help="answers.parquet of each run")
    parser.add_argument("--contacts", required=True, nargs="+", help="contacts.parquet of each run")
    parser.add_argument("--pairs", required=True, nargs="+", help="pairs.parquet of each run")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: tape.tsv")
    parser.add_argument("--item", required=True, help="output: tape.json")
    arguments = parser.parse_args()
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    rows = []
    for name, task, truth, answers, contacts, pairs in zip(
        arguments.runs, arguments.tasks, arguments.truth, arguments.answers, arguments.contacts,
        arguments.pairs, strict=True,
    ):  # fmt: skip
        touching = Touching(read_table("contacts", contacts), read_table("pairs", pairs))
        tables = read_table("task", truth), read_table("task", answers)
        found = evaluate(*tables, settings, arguments.seed, touching)
        rows += [[task, name, *row] for row in found]
    table = pd.DataFrame(rows, columns=COLUMNS)
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_item(describe(table), arguments.item)


if __name__ == "__main__":
    run(main)
