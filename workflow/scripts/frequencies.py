"""Predicted against real residue frequencies, and the order in which residues are learnt."""

import pandas as pd

from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.command import run
from pfamformer.report.frequencies import describe, draw, learning_order


def main() -> None:
    """Parse, order, write."""
    parser = item_parser(__doc__)
    parser.add_argument("--course", required=True, help="course.tsv")
    arguments = parser.parse_args()
    course = pd.read_csv(arguments.course, sep="\t")
    write_analysis(arguments, draw(course), learning_order(course), describe(course))


if __name__ == "__main__":
    run(main)
