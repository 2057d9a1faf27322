"""Figure 12: calibration, and confidence of right and wrong predictions."""

import pandas as pd

from pfamformer.analysis.calibration import expected_calibration_error, reliability
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.windows import TRAINING
from pfamformer.command import run
from pfamformer.report.figure_12 import describe, draw


def main() -> None:
    """Parse, judge, write."""
    parser = item_parser(__doc__)
    parser.add_argument("--posteriors", required=True, help="posteriors.parquet")
    arguments = parser.parse_args()
    found = pd.read_parquet(arguments.posteriors)
    unseen = found["masked"] & (found["region"] != TRAINING)
    rows = found[unseen & (found["step"] == found["step"].max())]
    confidence = rows["confidence"].to_numpy(dtype=float)
    right = (rows["predicted"] == rows["residue"]).to_numpy()
    table = reliability(confidence, right, arguments.confidence)
    error, excess = expected_calibration_error(
        confidence,
        right,
        rows["protein"].to_numpy(),
        draws=arguments.bootstrap,
        level=arguments.confidence,
        seed=arguments.seed,
    )
    figure = draw(table, confidence, right)
    write_analysis(arguments, figure, table, describe(error, excess, confidence, right))


if __name__ == "__main__":
    run(main)
