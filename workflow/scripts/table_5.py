"""Table 5: asymmetry of attention."""

import pandas as pd

from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.command import run
from pfamformer.report.attention import by_head, draw
from pfamformer.report.table_5 import describe, make_table


def main() -> None:
    """Parse, average, write."""
    parser = item_parser(__doc__)
    parser.add_argument("--attention", required=True, help="attention.parquet")
    arguments = parser.parse_args()
    statistics = pd.read_parquet(arguments.attention)
    table = make_table(
        statistics,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    label = "asymmetry ‖(M − Mᵀ)/2‖ / ‖M‖"
    figure = draw(by_head(statistics), "asymmetry", label, limit=0.75)
    write_analysis(arguments, figure, table, describe(table))


if __name__ == "__main__":
    run(main)
