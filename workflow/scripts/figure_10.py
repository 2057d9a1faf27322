"""Figure 10: entropy of the predictions."""

from pfamformer.command import run
from pfamformer.report.figure_10 import LIMITS, describe, draw
from pfamformer.report.posteriors import figure_of


def main() -> None:
    """Parse, summarise, write."""
    figure_of(__doc__, "entropy", LIMITS, draw, lambda table, _: describe(table))


if __name__ == "__main__":
    run(main)
