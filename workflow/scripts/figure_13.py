"""Figure 13: how attention spreads."""

import pandas as pd

from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.command import run
from pfamformer.report.attention import by_head, draw, ends_first, mean_over_sequences
from pfamformer.report.figure_13 import describe


def main() -> None:
    """Parse, average, write."""
    parser = item_parser(__doc__)
    parser.add_argument("--attention", required=True, help="attention.parquet")
    arguments = parser.parse_args()
    statistics = pd.read_parquet(arguments.attention)
    steps = {"untrained": statistics["step"].min(), "trained": statistics["step"].max()}
    spread = {
        network: mean_over_sequences(
            statistics,
            step,
            "effective",
            draws=arguments.bootstrap,
            confidence=arguments.confidence,
            seed=arguments.seed,
        )
        for network, step in steps.items()
    }
    heads = by_head(statistics)
    figure = draw(heads, "effective", "attended tokens (effective number)")
    item = describe(heads, spread, float(statistics["tokens"].mean()))
    write_analysis(arguments, figure, ends_first(heads), item)


if __name__ == "__main__":
    run(main)
