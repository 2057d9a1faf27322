"""Judge every method that calls GO terms: Fmax, Smin, curves, results by identity."""

import argparse
import json
from pathlib import Path

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.terms import (
    by_identity,
    curve_table,
    evaluate,
    questions,
    read_calls,
)
from pfamformer.report import go_identity
from pfamformer.report.figures import save_svg
from pfamformer.report.go_baselines import describe, draw
from pfamformer.report.items import write_item
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--neighbours", required=True, help="neighbours.parquet")
    parser.add_argument("--summary", required=True, help="summary.json of the task")
    parser.add_argument("--calls", required=True, nargs="+", help="calls.parquet …")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    outputs = ("table", "identity", "curves", "figure", "item")
    for output in (*outputs, "identity-figure", "identity-item"):
        parser.add_argument(f"--{output}", required=True, help="output")
    arguments = parser.parse_args()
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    asked = questions(
        read_table("terms", arguments.terms), read_table("annotations", arguments.annotations)
    )
    nearest = read_table("neighbours", arguments.neighbours).groupby("query")["identity"].max()
    rows, classes, curves = [], [], []
    for path in arguments.calls:
        calls = read_calls(path)
        for question in asked:
            result = evaluate(calls, question, settings, arguments.seed)
            rows.append(result.row)
            classes += by_identity(result, question, nearest.to_dict())
            curves.append(curve_table(result))
    found = {
        arguments.table: pd.DataFrame(rows).sort_values(
            ["ontology", "fmax"], ascending=[True, False]
        ),
        arguments.identity: pd.DataFrame(classes),
        arguments.curves: pd.concat(curves, ignore_index=True),
    }
    for path, table in found.items():
        with atomic_path(path) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    save_svg(draw(found[arguments.curves]), arguments.figure)
    summary = json.loads(Path(arguments.summary).read_text(encoding="utf-8"))
    item = describe(found[arguments.table], found[arguments.identity], summary)
    write_item(item, arguments.item)
    save_svg(go_identity.draw(found[arguments.identity]), arguments.identity_figure)
    write_item(go_identity.describe(found[arguments.identity]), arguments.identity_item)


if __name__ == "__main__":
    run(main)
