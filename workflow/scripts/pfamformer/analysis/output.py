"""What the scripts of the analyses share: their options and how a figure becomes report files."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pfamformer.command import atomic_path
from pfamformer.report.figures import save_svg
from pfamformer.report.items import Item, write_item


def item_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options of every analysis."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run", required=True, help="name of the pretraining run")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--bootstrap", type=int, required=True, help="draws behind intervals")
    parser.add_argument("--confidence", type=float, required=True, help="coverage of intervals")
    parser.add_argument("--one-of-several", action="store_true", help="name the run in the title")
    parser.add_argument("--figure", required=True, help="output: SVG")
    parser.add_argument("--numbers", required=True, help="output: TSV")
    parser.add_argument("--item", required=True, help="output: JSON for the report")
    return parser


def write_analysis(
    arguments: argparse.Namespace, figure: Figure, numbers: pd.DataFrame, item: Item
) -> None:
    """Write the SVG, the TSV and the report item of one analysis of one run.

    ``item.figure`` and ``item.numbers`` are set here; with several runs its name and title say
    which one it is, because a page may hold a name only once.
    """
    save_svg(figure, arguments.figure)
    with atomic_path(arguments.numbers) as temporary:
        numbers.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    if arguments.one_of_several:
        item = replace(
            item,
            name=f"{item.name}_{arguments.run}",
            title=f"{item.title} ({arguments.run})",
            target=item.name,
        )
    item = replace(item, figure=Path(arguments.figure).name, numbers=Path(arguments.numbers).name)
    write_item(item, arguments.item)
