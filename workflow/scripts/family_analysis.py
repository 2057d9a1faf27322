"""Errors by identity and family size, calibration and confusions of the methods of table 3."""

import argparse
import json
from pathlib import Path

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.methods import REFERENCE
from pfamformer.report import confusions, family_errors, reliability
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item
from pfamformer.report.table_3 import Entry
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--families", required=True, help="families.tsv")
    parser.add_argument("--predictions", required=True, nargs="+", help="predictions.parquet …")
    parser.add_argument("--about", required=True, help="JSON: start, kind and group of each")
    parser.add_argument("--scores", required=True, nargs="+", help="scores.parquet: probabilities")
    parser.add_argument("--names", required=True, nargs="+", help="method of each scores file")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, type=Path, help="folder")
    arguments = parser.parse_args()
    split = read_table("split", arguments.split)
    families = pd.read_csv(arguments.families, sep="\t", keep_default_na=False)
    entries = [
        Entry(read_table("predictions", path), source=path, **about)
        for path, about in zip(arguments.predictions, json.loads(arguments.about), strict=True)
    ]
    chosen = family_errors.shown(entries, REFERENCE)
    errors = family_errors.make_table(
        chosen, split, draws=arguments.bootstrap, confidence=arguments.confidence,
        seed=arguments.seed,
    )  # fmt: skip
    save_svg(family_errors.draw(errors), arguments.output / "family_errors.svg")
    scores = {
        name: read_table("scores", path)
        for name, path in zip(arguments.names, arguments.scores, strict=True)
    }
    truth = split.set_index("id")["family"]
    calibrated = reliability.make_table(scores, truth)
    drawn, temperature = calibrated.loc[0, ["run", "temperature"]]
    save_svg(
        reliability.draw(scores[drawn], truth, temperature, drawn),
        arguments.output / "reliability.svg",
    )
    for name, table, item in (
        ("family_errors", errors, family_errors.describe(errors)),
        ("reliability", calibrated, reliability.describe(calibrated, drawn)),
        ("confusions", confusions.make_table(chosen, families),
         confusions.describe(chosen, families)),
    ):  # fmt: skip
        with atomic_path(arguments.output / f"{name}.tsv") as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
        write_item(item, arguments.output / f"{name}.json")


if __name__ == "__main__":
    run(main)
