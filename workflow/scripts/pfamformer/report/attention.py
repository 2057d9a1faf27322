"""What figure 13 and table 5 share: a measure by layer and head, before and along training."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.evaluation.intervals import Interval, bootstrap_ratio
from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title

#: Colours of the untrained and the trained network.
NETWORKS = {"untrained": "#888888", "trained": COLOURS[0]}


def by_head(statistics: pd.DataFrame) -> pd.DataFrame:
    """Means over sequences: one row per step, layer and head."""
    columns = ["entropy", "effective", "special", "norm", "asymmetry", "tokens"]
    return statistics.groupby(["step", "layer", "head"])[columns].mean().reset_index()


def ends_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the trained network, of the untrained one, then of the steps between."""
    last, first = rows["step"].max(), rows["step"].min()
    place = rows["step"].map({last: 0, first: 1}).fillna(2)
    return rows.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def mean_over_sequences(
    statistics: pd.DataFrame, step: int, column: str, *, draws: int, confidence: float, seed: int
) -> Interval:
    """Mean over layers and heads, then over sequences, with an interval over sequences."""
    values = statistics[statistics["step"] == step].groupby("sequence")[column].mean().to_numpy()
    stream = np.random.default_rng(seed)
    return bootstrap_ratio(values, np.ones(len(values)), draws, confidence, stream)


def draw(heads: pd.DataFrame, column: str, label: str, limit: float | None = None) -> Figure:
    """Every head of the untrained and the trained network by layer; layers along training.

    Args:
        heads: of :func:`by_head`.
        label: of the measure, with its unit.
        limit: upper end of the axis.
    """
    steps = sorted(heads["step"].unique())
    layers = sorted(heads["layer"].unique())
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
        for (network, colour), step, shift in zip(
            NETWORKS.items(), (steps[0], steps[-1]), (-0.14, 0.14), strict=True
        ):
            rows = heads[heads["step"] == step]
            # Heads side by side around their layer, so that none hides another.
            beside = 0.16 * (rows["head"] / rows["head"].max() - 0.5)
            left.scatter(
                rows["layer"] + shift + beside, rows[column], s=28, color=colour, lw=0,
                label=f"{network} (step {step:,})", alpha=0.85,
            )  # fmt: skip
        left.set_xticks(layers[:: 1 + len(layers) // 13])
        left.set_xlabel("layer (one point per head)")
        left.set_ylabel(label)
        left.set_ylim(0, limit)
        left.legend(fontsize=9)
        title(left, "a", "before and after training")
        course = heads.groupby(["layer", "step"])[column].mean()
        shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(layers)))
        for layer, shade in zip(layers, shades, strict=True):
            right.plot(steps, course.loc[layer].loc[steps], marker="o", ms=4, color=shade)
        if len(steps) > 2:
            right.set_xscale("symlog", linthresh=max(1, steps[1]))
        mapped = matplotlib.cm.ScalarMappable(
            matplotlib.colors.Normalize(layers[0], max(layers[-1], layers[0] + 1)),
            matplotlib.colors.LinearSegmentedColormap.from_list("layers", list(shades) * 2)
            if len(layers) == 1
            else matplotlib.colors.LinearSegmentedColormap.from_list("layers", list(shades)),
        )
        bar = figure.colorbar(mapped, ax=right)
        bar.outline.set_visible(False)
        bar.set_label("layer", color=INK)
        bar.set_ticks(layers[:: 1 + len(layers) // 13])
        right.set_xlabel("optimiser step")
        title(right, "b", "along training, mean of a layer's heads")
        return figure
