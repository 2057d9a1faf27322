"""Figure 11: divergence of the predictions from the training frequencies."""

from pfamformer.command import run
from pfamformer.report.figure_11 import LIMITS, describe, draw
from pfamformer.report.posteriors import figure_of


def main() -> None:
    """Parse, summarise, write."""
    figure_of(__doc__, "divergence", LIMITS, draw, describe)


if __name__ == "__main__":
    run(main)
