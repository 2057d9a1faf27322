"""How far the methods' probabilities can be trusted: reliability diagram, error, temperature."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from pfamformer.evaluation.calibration import calibrate, confidences, reliability
from pfamformer.report.figures import COLOURS, INK, STYLE, plt
from pfamformer.report.items import Column, Item

# Bars of the histogram of confidences.
BARS = 20
# A temperature this near to 1 changes nothing that a reader would see.
CLOSE = 0.05


def make_table(scores: Mapping[str, pd.DataFrame], truth: pd.Series) -> pd.DataFrame:
    """One row per method, the best calibrated first.

    Args:
        scores: by name, ``scores`` tables whose scores are log-probabilities.
        truth: family by domain id.

    Returns:
        Columns ``run``, ``temperature``, ``ece``, ``ece_scaled`` (per cent), ``loss``,
        ``loss_scaled`` (nats).
    """
    rows = []
    for name, table in scores.items():
        found = calibrate(table, truth)
        rows.append(
            {
                "run": name,
                "temperature": found.temperature,
                "ece": 100 * found.error,
                "ece_scaled": 100 * found.error_scaled,
                "loss": found.loss,
                "loss_scaled": found.loss_scaled,
            }
        )
    return pd.DataFrame(rows).sort_values("loss_scaled", ignore_index=True)


def draw(scores: pd.DataFrame, truth: pd.Series, temperature: float, name: str) -> Figure:
    """Reliability before and after the temperature, and confidences of right and wrong answers."""
    test = scores[scores["part"] == "test"]
    with matplotlib.rc_context(STYLE):
        figure, (diagram, spread) = plt.subplots(1, 2, figsize=(9, 3.6))
        diagram.plot([0, 1], [0, 1], color=INK, lw=1, ls=(0, (4, 3)))
        shown = [(COLOURS[0], temperature, f"temperature {temperature:.2f}")]
        if abs(temperature - 1) >= CLOSE:
            shown.insert(0, (COLOURS[1], 1.0, "as trained"))
        for colour, at, label in shown:
            _bins(diagram, reliability(confidences(test, truth, at)), colour, label)
        diagram.set_xlabel("confidence (highest probability)")
        diagram.set_ylabel("accuracy (share right)")
        diagram.set_xlim(0, 1)
        diagram.set_ylim(0, 1)
        diagram.legend(fontsize=9)
        found = confidences(test, truth, temperature)
        edges = np.linspace(0, 1, BARS + 1)
        for colour, right, label in ((COLOURS[0], True, "right"), (COLOURS[1], False, "wrong")):
            chosen = found.loc[found["right"] == right, "confidence"]
            spread.hist(chosen, edges, color=colour, alpha=0.6, label=f"{label} ({len(chosen)})")
        spread.set_xlabel("confidence after the temperature")
        spread.set_ylabel("test domains")
        spread.legend(fontsize=9)
        for axes, title in ((diagram, f"a  {name}"), (spread, "b  right and wrong answers")):
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
        return figure


def _bins(axes: Axes, bins: pd.DataFrame, colour: str, label: str) -> None:
    """A dot for each bin, larger with more domains, and its 95 % interval."""
    for row in bins.itertuples():
        right = binomtest(round(row.accuracy * row.domains), row.domains)
        interval = right.proportion_ci(0.95, method="wilson")
        axes.plot([row.confidence] * 2, [interval.low, interval.high], color=colour, lw=1)
    # Areas in points²: the fullest bin has the largest dot, one domain can still be seen.
    area = 12 + 60 * bins["domains"] / bins["domains"].max()
    axes.scatter(bins["confidence"], bins["accuracy"], area, color=colour, label=label, zorder=3)


def describe(table: pd.DataFrame, drawn: str) -> Item:
    """The item of the report."""
    row = table.set_index("run").loc[drawn]
    state = "over-confident" if row["temperature"] > 1 else "under-confident"
    if abs(row["temperature"] - 1) < CLOSE:
        state = "neither over- nor under-confident"
    return Item(
        name="reliability",
        target="family_analysis",
        section="families",
        title="Calibration of the family probabilities",
        caption="a: accuracy against confidence in 15 bins of equal width, larger dots for more "
        "domains, with 95 % intervals (Wilson); on the dashed line a probability means what it "
        "says. b: confidence of right and of wrong answers. The "
        "temperature is fitted on the development part, everything shown is the test part.",
        text=[
            f"On the development part {drawn} is {state}: the temperature fitted there is "
            f"{row['temperature']:.2f} (1 changes nothing). On the test part it takes the expected "
            f"calibration error from {row['ece']:.1f} to {row['ece_scaled']:.1f} percentage points "
            f"and the loss from {row['loss']:.2f} to {row['loss_scaled']:.2f} nats."
        ],
        figure="reliability.svg",
        numbers="reliability.tsv",
        columns=[
            Column("run", "run", "text"),
            Column("temperature", "temperature", digits=2),
            Column("ece", "calibration error, %"),
            Column("ece_scaled", "with temperature, %"),
            Column("loss", "loss, nats", digits=2),
            Column("loss_scaled", "with temperature, nats", digits=2),
        ],
        rank=2,
        findings=[
            f"Family probabilities of {drawn} are off by {row['ece_scaled']:.1f} percentage points "
            "on average, at the fitted temperature (expected calibration error)."
        ],
    )
