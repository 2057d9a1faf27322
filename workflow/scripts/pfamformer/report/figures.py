"""Figures: one style, byte-stable SVG, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
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


#: Dots per inch of matplotlib's SVG: one unit is a point.
_SVG_DPI = 72


@dataclass(frozen=True)
class Hover:
    """A rectangle of a panel, in its data's coordinates, that says something under the pointer."""

    axes: Axes
    left: float
    bottom: float
    width: float
    height: float
    text: str


def save_svg(figure: Figure, path: str | Path, hovers: Iterable[Hover] = ()) -> None:
    """Write a figure as SVG without a date, so that equal figures are equal files.

    Args:
        hovers: places with a text that browsers show under the pointer.
    """
    with atomic_path(path) as temporary, matplotlib.rc_context(STYLE):
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
        shapes = "".join(_shape(figure, hover) for hover in hovers)
        if shapes:
            svg = temporary.read_text(encoding="utf-8")
            over = f'<g class="hover" fill="none" pointer-events="all">{shapes}</g>'
            temporary.write_text(f"{over}\n</svg>".join(svg.rsplit("</svg>", 1)), encoding="utf-8")
    plt.close(figure)


def _shape(figure: Figure, hover: Hover) -> str:
    """An invisible rectangle with a title; SVG counts from the top."""
    corners = [(hover.left, hover.bottom),
               (hover.left + hover.width, hover.bottom + hover.height)]  # fmt: skip
    (x, y), (right, top) = hover.axes.transData.transform(corners) * _SVG_DPI / figure.dpi
    x, right = sorted((x, right))
    y, top = sorted((y, top))
    place = f"M{x:.1f} {_SVG_DPI * figure.get_figheight() - top:.1f}"
    size = f"h{right - x:.1f}v{top - y:.1f}h-{right - x:.1f}z"
    return f'<path d="{place}{size}"><title>{escape(hover.text)}</title></path>'


def title(axes: Axes, letter: str, text: str) -> None:
    """Name a panel: its letter, then what it shows."""
    axes.set_title(f"{letter}  {text}", loc="left", fontsize=10, fontweight="bold", color=INK)
