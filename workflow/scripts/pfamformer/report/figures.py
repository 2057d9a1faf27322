"""Figures: one style, byte-stable SVG, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
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


def title(axes: Axes, letter: str, text: str) -> None:
    """Name a panel: its letter, then what it shows."""
    axes.set_title(f"{letter}  {text}", loc="left", fontsize=10, fontweight="bold", color=INK)
