"""Figures 10 and 11: distributions over residues, {masked, all} × {trained, untrained}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.distributions import cliffs_delta, mean_difference, modes
from pfamformer.analysis.windows import HELD_OUT, OUTSIDE
from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title

#: Bars of a histogram: narrow enough to show two modes half a nat apart.
BINS = 60
REGIONS = {OUTSIDE: "outside domains", HELD_OUT: "in held-out domains"}


class Panel(NamedTuple):
    """The residues of one panel."""

    network: str
    masked: bool
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        """What the panel shows."""
        return f"{self.network}, {'masked residues' if self.masked else 'all residues, unmasked'}"


def panels(posteriors: pd.DataFrame) -> Iterator[Panel]:
    """The four panels, masked ones first, trained before untrained; training domains left out."""
    judged = posteriors[posteriors["region"].isin(list(REGIONS))]
    last = judged["step"].max()
    for masked in (True, False):
        for step, network in ((last, "trained"), (0, "untrained")):
            yield Panel(
                network, masked, judged[(judged["step"] == step) & (judged["masked"] == masked)]
            )


def draw(
    posteriors: pd.DataFrame, column: str, label: str, limits: tuple[float, float],
    marks: Mapping[str, float],
) -> Figure:  # fmt: skip
    """Four histograms of one column, residues outside and inside domains apart.

    Args:
        label: of the horizontal axis, with its unit.
        limits: of that axis.
        marks: values that are marked by a vertical line, by name.
    """
    edges = np.linspace(*limits, BINS + 1)
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True)
        for axis, letter, panel in zip(axes.flat, "abcd", panels(posteriors), strict=True):
            for (region, name), colour in zip(REGIONS.items(), COLOURS, strict=False):
                values = panel.rows.loc[panel.rows["region"] == region, column]
                axis.hist(
                    values, edges, density=True, histtype="stepfilled", alpha=0.25, color=colour
                )
                axis.hist(
                    values, edges, density=True, histtype="step", lw=1.4, color=colour, label=name
                )
            for (name, value), dashes in zip(marks.items(), ((4, 3), (1, 2)), strict=False):
                axis.axvline(value, color=INK, lw=1.2, ls=(0, dashes), label=name)
            axis.set_xlim(*limits)
            axis.set_ylabel("density (1/nat)")
            title(axis, letter, panel.name)
        for axis in axes[1]:
            axis.set_xlabel(label)
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9
        )
        return figure


def numbers(
    posteriors: pd.DataFrame, column: str, limits: tuple[float, float],
    *, draws: int, confidence: float, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Per panel: residues, median, modes, and residues in domains against those outside.

    ``inside_minus_outside`` is a difference of means (nats), its interval over proteins;
    ``cliffs_delta`` is positive where values in domains tend to be larger.
    """
    rows = []
    for panel in panels(posteriors):
        values = panel.rows[column].to_numpy(dtype=float)
        inside = (panel.rows["region"] == HELD_OUT).to_numpy()
        found = mean_difference(
            values, inside, panel.rows["protein"].to_numpy(),
            draws=draws, confidence=confidence, seed=seed,
        )  # fmt: skip
        rows.append(
            {
                "network": panel.network,
                "residues": "masked" if panel.masked else "all, unmasked",
                "count": len(values),
                "median": np.median(values),
                "modes": " ".join(f"{mode:.2f}" for mode in modes(values, limits, seed)),
                "inside_minus_outside": found.value,
                "inside_minus_outside_low": found.low,
                "inside_minus_outside_high": found.high,
                "cliffs_delta": cliffs_delta(values[inside], values[~inside]),
            }
        )
    return pd.DataFrame(rows)
