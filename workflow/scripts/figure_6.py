"""Figure 6: the pretraining loss, whole and zoomed."""

import argparse
import json
from pathlib import Path

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.report.figures import figure_6, save_svg


def main() -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="+", help="names of pretraining runs")
    parser.add_argument("--metrics", required=True, nargs="+", help="their metrics.tsv")
    parser.add_argument("--summaries", required=True, nargs="+", help="their summary.json")
    parser.add_argument("--figure", required=True, help="output: figure_6.svg")
    parser.add_argument("--numbers", required=True, help="output: figure_6.tsv")
    arguments = parser.parse_args()
    metrics = {
        name: pd.read_csv(path, sep="\t")
        for name, path in zip(arguments.runs, arguments.metrics, strict=True)
    }
    entropies = {
        name: json.loads(Path(path).read_text(encoding="utf-8"))["residue_entropy"]
        for name, path in zip(arguments.runs, arguments.summaries, strict=True)
    }
    save_svg(figure_6(metrics, entropies), arguments.figure)
    numbers = pd.concat([table.assign(run=name) for name, table in metrics.items()])
    with atomic_path(arguments.numbers) as temporary:
        numbers.to_csv(temporary, sep="\t", index=False)


if __name__ == "__main__":
    run(main)
