"""Table 3: every method's family accuracy on the clustered split, beside the published numbers."""

import argparse
import json

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.report.table_3 import Entry, make_comparisons, make_split_effect, make_table
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--predictions", required=True, nargs="+", help="predictions.parquet …")
    parser.add_argument("--starts", required=True, nargs="+", help="pretrained, untrained or none")
    parser.add_argument("--random-split", required=True, help="split.parquet, random")
    parser.add_argument("--random-phmm", required=True, help="the HMM's predictions on it")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: table_3.tsv")
    parser.add_argument("--comparisons", required=True, help="output: table_3.json")
    arguments = parser.parse_args()
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    split = read_table("split", arguments.split)
    entries = [
        Entry(read_table("predictions", path), start, path)
        for path, start in zip(arguments.predictions, arguments.starts, strict=True)
    ]
    random = Entry(read_table("predictions", arguments.random_phmm), "none", arguments.random_phmm)
    table: pd.DataFrame = make_table(entries, split, settings, arguments.seed)
    found = {
        "pretraining": make_comparisons(entries, split, settings, arguments.seed),
        "split": make_split_effect(
            entries,
            split,
            random,
            read_table("split", arguments.random_split),
            settings,
            arguments.seed,
        ),
    }
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    with atomic_path(arguments.comparisons) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
