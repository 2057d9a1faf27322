"""Table 3: every method's family accuracy on the clustered split, beside the published numbers."""

import argparse
import json

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.report.items import write_item
from pfamformer.report.table_3 import (
    Entry,
    describe,
    make_comparisons,
    make_split_effect,
    make_table,
    make_verdicts,
)
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--families", required=True, help="families.tsv")
    parser.add_argument("--predictions", required=True, nargs="+", help="predictions.parquet …")
    parser.add_argument("--about", required=True, help="JSON: start, kind and group of each")
    parser.add_argument("--random-split", required=True, help="split.parquet, random")
    parser.add_argument("--random", required=True, nargs="+", help="predictions on it …")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: table_3.tsv")
    parser.add_argument("--comparisons", required=True, help="output: table_3_comparisons.json")
    parser.add_argument("--item", required=True, help="output: table_3.json")
    arguments = parser.parse_args()
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    split = read_table("split", arguments.split)
    families = pd.read_csv(arguments.families, sep="\t", keep_default_na=False)
    clan_of = families.set_index("family")["clan"]
    entries = [
        Entry(read_table("predictions", path), source=path, **about)
        for path, about in zip(arguments.predictions, json.loads(arguments.about), strict=True)
    ]
    random = [Entry(read_table("predictions", path), "none", path) for path in arguments.random]
    table = make_table(entries, split, clan_of, settings, arguments.seed)
    found = {
        "verdicts": make_verdicts(entries, split, settings, arguments.seed),
        "pretraining": make_comparisons(entries, split, settings, arguments.seed),
        "split": make_split_effect(
            {"clustered": split, "random": read_table("split", arguments.random_split)},
            {"clustered": entries, "random": random},
            settings,
            arguments.seed,
        ),
    }
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    with atomic_path(arguments.comparisons) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write_item(describe(found, settings.confidence), arguments.item)


if __name__ == "__main__":
    run(main)
