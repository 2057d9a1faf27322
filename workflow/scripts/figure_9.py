"""Figure 9: Venn diagram of the residues' properties."""

import argparse

from pfamformer.command import atomic_path, run
from pfamformer.report.figure_9 import describe, draw, numbers
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item


def main() -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", required=True, help="output: figure_9.svg")
    parser.add_argument("--numbers", required=True, help="output: figure_9.tsv")
    parser.add_argument("--item", required=True, help="output: figure_9.json")
    arguments = parser.parse_args()
    save_svg(draw(), arguments.figure)
    with atomic_path(arguments.numbers) as temporary:
        numbers().to_csv(temporary, sep="\t", index=False)
    write_item(describe(), arguments.item)


if __name__ == "__main__":
    run(main)
