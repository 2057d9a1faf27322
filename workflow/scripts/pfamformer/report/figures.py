"""Figures: one style, byte-stable SVG, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pfamformer.command import atomic_path

#: Okabe and Ito's palette, yellow left out (unreadable as a line on white).
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
INK = "#333333"
STYLE = {
    "svg.hashsalt": "pfamformer",
    # Text stays text: small files, selectable, drawn in the reader's fonts.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def save_svg(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG without a date, so that equal figures are equal files."""
    with atomic_path(path) as temporary, matplotlib.rc_context(STYLE):
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def figure_6(metrics: Mapping[str, pd.DataFrame], entropies: Mapping[str, float]) -> Figure:
    """Pretraining loss against residues read: the whole course, and its end enlarged.

    Args:
        metrics: per run, the ``metrics`` table.
        entropies: per run, the entropy of its residue frequencies (nats).
    """
    with matplotlib.rc_context(STYLE):
        figure, (whole, zoomed) = plt.subplots(1, 2, figsize=(9, 3.6))
        floor, ceiling = [], []
        for colour, (run, table) in zip(COLOURS * len(metrics), metrics.items(), strict=False):
            train, valid = (table[table["part"] == part] for part in ("train", "valid"))
            entropy = entropies[run]
            late = train[train["step"] >= train["step"].max() / 4]
            floor.append(min(late["loss"].min(), valid["loss"].min()))
            ceiling.append(max(late["loss"].max(), entropy))
            for axes in (whole, zoomed):
                axes.plot(
                    train["tokens"] / 1e6, train["loss"], color=colour, lw=1.2, alpha=0.75,
                    label=f"{run}, training",
                )  # fmt: skip
                axes.plot(
                    valid["tokens"] / 1e6, valid["loss"], color=colour, lw=0, marker="o", ms=4.5,
                    mec="white", mew=0.6, label=f"{run}, validation",
                )  # fmt: skip
                axes.axhline(entropy, color=INK, lw=1, ls=(0, (4, 3)))
        zoomed.annotate(
            f"entropy of the residue frequencies, {max(entropies.values()):.2f}",
            (1, max(entropies.values())), xycoords=("axes fraction", "data"),
            xytext=(0, 3), textcoords="offset points", ha="right", va="bottom", fontsize=9,
            color=INK,
        )  # fmt: skip
        margin = 0.12 * (max(ceiling) - min(floor))
        zoomed.set_ylim(min(floor) - margin, max(ceiling) + 1.6 * margin)
        whole.set_title("a  whole course", loc="left", fontsize=10, fontweight="bold", color=INK)
        zoomed.set_title("b  enlarged", loc="left", fontsize=10, fontweight="bold", color=INK)
        for axes in (whole, zoomed):
            axes.set_xlabel("residues read (millions)")
            axes.set_ylabel("masked-residue loss (nats)")
            axes.set_xlim(left=0)
        whole.legend(fontsize=9)
        return figure
