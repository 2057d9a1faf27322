"""Figure 12: calibration, and confidence of right and wrong predictions."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.calibration import BINS
from pfamformer.analysis.distributions import cliffs_delta
from pfamformer.evaluation.intervals import Interval
from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, said

#: The study's limits: below the first mostly wrong, above the second nearly always right.
UNSURE, SURE = 0.2, 0.8
#: AUROC below which confidence hardly tells right from wrong.
HARDLY = 0.6
#: "Well calibrated" here: confidence and accuracy differ by less than this on average.
WELL = 0.03


def draw(table: pd.DataFrame, confidence_N: np.ndarray, right_N: np.ndarray) -> Figure:
    """Reliability on the left, confidence of right and wrong predictions on the right.

    Args:
        table: of :func:`pfamformer.analysis.calibration.reliability`.
        confidence_N, right_N: of every masked residue.
    """
    edges = np.linspace(0, 1, BINS + 1)
    # Networks that are never sure would leave most of the plane empty.
    most = min(1.0, max(0.3, table["high"].max(), table["accuracy_high"].max()))
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
        left.plot([0, 1], [0, 1], color=INK, lw=1, ls=(0, (4, 3)), label="perfect calibration")
        errors = np.abs(table[["accuracy_low", "accuracy_high"]].to_numpy().T - [table["accuracy"]])
        left.errorbar(
            table["confidence"], table["accuracy"], errors, fmt="o", ms=5, lw=1.2, color=COLOURS[0],
            label="predictions of a bin",
        )  # fmt: skip
        left.set_xlim(0, most)
        left.set_ylim(0, most)
        left.set_aspect("equal")
        left.set_xlabel("confidence (highest probability)")
        left.set_ylabel("accuracy (share right)")
        left.legend(fontsize=9, loc="upper left")
        title(left, "a", "calibration at masked residues")
        for chosen, name, colour in (
            (right_N, "right", COLOURS[2]),
            (~right_N, "wrong", COLOURS[1]),
        ):
            share = np.full(chosen.sum(), 1 / max(1, chosen.sum()))
            for kind, alpha in (("stepfilled", 0.25), ("step", 1)):
                right.hist(
                    confidence_N[chosen], edges, weights=share, histtype=kind, alpha=alpha,
                    color=colour, lw=1.4, label=name if kind == "step" else None,
                )  # fmt: skip
        right.set_xlim(0, most)
        right.set_xlabel("confidence (highest probability)")
        right.set_ylabel("share of these predictions")
        right.legend(fontsize=9, title="predictions that are")
        title(right, "b", "confidence of right and wrong predictions")
        return figure


def describe(
    error: Interval, excess: Interval, confidence_N: np.ndarray, right_N: np.ndarray
) -> Item:
    """The report item.

    Args:
        error: expected calibration error.
        excess: mean confidence minus accuracy.
    """
    well = error.high < WELL
    over = "overconfident" if excess.low > 0 else "underconfident"
    lean = over if excess.low > 0 or excess.high < 0 else "neither over- nor underconfident"
    text = [
        f"Expected calibration error {100 * error.value:.1f} % ({100 * error.low:.1f} to "
        f"{100 * error.high:.1f} %) over {len(right_N):,} masked residues in {BINS} bins; mean "
        f"confidence minus accuracy {100 * excess.value:+.1f} points ({100 * excess.low:+.1f} to "
        f"{100 * excess.high:+.1f}): {lean}. The study found its network well calibrated and not "
        "overconfident. "
        + (
            "That holds here."
            if well and excess.low <= 0
            else f"Here {'the error is small' if well else 'the error reaches above 3 %'} and the "
            f"network is {lean}."
        )
        + _resolution(confidence_N, right_N),
        f"{_where(confidence_N < UNSURE, right_N, f'below {UNSURE}')} "
        f"{_where(confidence_N > SURE, right_N, f'above {SURE}')}",
    ]
    return Item(
        name="figure_12",
        section="analyses",
        title="Figure 12: calibration",
        caption="Left: share of right predictions for each bin of confidence, with 95 % "
        "intervals (Wilson). Right: confidence of right and of wrong predictions.",
        text=text,
        published="Well calibrated and not overconfident; below 0.2 a prediction is more likely "
        "wrong than right, above 0.8 almost surely right.",
        columns=[
            Column("low", "confidence from", "number", 2),
            Column("high", "to", "number", 2),
            Column("predictions", "predictions", "number", 0),
            Column("confidence", "mean confidence", "number", 3),
            Column("accuracy", "accuracy", "interval", 3),
        ],
        rank=12,
        **said(
            well and excess.low <= 0,
            f"Predictions of residues are well calibrated (figure 12): error "
            f"{100 * error.value:.1f} %, as in the study.",
            f"Predictions of residues are not as well calibrated as in the study (figure 12): "
            f"error {100 * error.value:.1f} %, {lean}.",
        ),
    )


def _resolution(confidence_N: np.ndarray, right_N: np.ndarray) -> str:
    """Calibration alone is cheap: always predicting the frequencies has it too."""
    area = (cliffs_delta(confidence_N[right_N], confidence_N[~right_N]) + 1) / 2
    words = f" A right prediction is surer than a wrong one with probability {area:.2f} (AUROC)"
    if area < HARDLY:
        return f"{words}: confidence hardly tells them apart, so good calibration says little here."
    return f"{words}."


def _where(chosen: np.ndarray, right_N: np.ndarray, words: str) -> str:
    if not chosen.any():
        return f"No prediction has a confidence {words}: nothing can be said of it."
    return (
        f"Of the {chosen.sum():,} predictions with a confidence {words}, "
        f"{100 * right_N[chosen].mean():.0f} % are right."
    )
