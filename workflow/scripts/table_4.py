"""Table 4: accuracy of fold prediction on each holdout."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, log, run
from pfamformer.config import EvaluationSettings
from pfamformer.report.items import write_item
from pfamformer.report.table_4 import describe, make_table
from pfamformer.tables import read_table
from pfamformer.tasks.folds import HOLDOUTS, domains_of_task


def main() -> None:
    """Parse, judge, write; without a task the table is empty and says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", help="task.parquet; none: no data set is configured")
    parser.add_argument("--predictions", nargs="*", default=[], help="predictions.parquet …")
    parser.add_argument("--groups", nargs="*", default=[], help="name of each, without its seed")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: table_4.tsv")
    parser.add_argument("--item", required=True, help="output: table_4.json")
    arguments = parser.parse_args()
    holdout = pd.Series(dtype=object)
    if arguments.task:
        task = read_table("task", arguments.task)
        named = pd.Series(task["part"].map(HOLDOUTS).to_numpy(), domains_of_task(task)["id"])
        holdout = named.dropna()
    table = make_table(
        [read_table("predictions", path) for path in arguments.predictions],
        arguments.groups,
        holdout,
        EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence),
        arguments.seed,
    )
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    item = describe(table)
    for paragraph in item.text:
        log.info(paragraph)
    write_item(item, arguments.item)


if __name__ == "__main__":
    run(main)
