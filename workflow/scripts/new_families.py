"""Gather how well new families are recognised from a few sequences."""

import argparse
from pathlib import Path

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.report.items import write_item
from pfamformer.report.new_families import describe, make_table


def main() -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="+", help="names")
    parser.add_argument("--found", required=True, nargs="+", help="their new_families.tsv")
    parser.add_argument("--numbers", required=True, type=Path, help="output: new_families.tsv")
    parser.add_argument("--item", required=True, help="output: new_families.json")
    arguments = parser.parse_args()
    found = {
        name: pd.read_csv(path, sep="\t")
        for name, path in zip(arguments.runs, arguments.found, strict=True)
    }
    table = make_table(found)
    with atomic_path(arguments.numbers) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_item(describe(table), arguments.item)


if __name__ == "__main__":
    run(main)
