"""Figure 6: the pretraining loss, whole and zoomed."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.report.figure_6 import describe, draw
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item
from pfamformer.tables import read_json


def main() -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="+", help="names of pretraining runs")
    parser.add_argument("--corpora", required=True, nargs="+", help="what they read")
    parser.add_argument("--metrics", required=True, nargs="+", help="their metrics.tsv")
    parser.add_argument("--summaries", required=True, nargs="+", help="their summary.json")
    parser.add_argument("--figure", required=True, help="output: figure_6.svg")
    parser.add_argument("--numbers", required=True, help="output: figure_6.tsv")
    parser.add_argument("--item", required=True, help="output: figure_6.json")
    arguments = parser.parse_args()
    metrics = {
        name: pd.read_csv(path, sep="\t")
        for name, path in zip(arguments.runs, arguments.metrics, strict=True)
    }
    summaries = {
        name: read_json(path)
        for name, path in zip(arguments.runs, arguments.summaries, strict=True)
    }
    references = {name: summary["context_free_loss"] for name, summary in summaries.items()}
    save_svg(draw(metrics, references), arguments.figure)
    numbers = pd.concat([table.assign(run=name) for name, table in metrics.items()])
    with atomic_path(arguments.numbers) as temporary:
        numbers.to_csv(temporary, sep="\t", index=False)
    corpora = dict(zip(arguments.runs, arguments.corpora, strict=True))
    write_item(describe(metrics, summaries, corpora), arguments.item)


if __name__ == "__main__":
    run(main)
