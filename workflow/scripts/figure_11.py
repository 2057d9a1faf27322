"""Figure 11: divergence of the predictions from the training frequencies."""

import pandas as pd

from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.posteriors import read_frequencies
from pfamformer.command import run
from pfamformer.report.distributions import numbers
from pfamformer.report.figure_11 import LIMITS, describe, draw


def main() -> None:
    """Parse, summarise, write."""
    parser = item_parser(__doc__)
    parser.add_argument("--posteriors", required=True, help="posteriors.parquet")
    parser.add_argument("--frequencies", required=True, help="frequencies.json")
    arguments = parser.parse_args()
    posteriors = pd.read_parquet(arguments.posteriors)
    frequency = read_frequencies(arguments.frequencies)
    table = numbers(
        posteriors,
        "divergence",
        LIMITS,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    write_analysis(arguments, draw(posteriors, frequency), table, describe(table, frequency))


if __name__ == "__main__":
    run(main)
