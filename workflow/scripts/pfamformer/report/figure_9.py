"""Figure 9: Venn diagram of the residues' properties (Taylor 1986)."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from pfamformer.analysis.residues import PROPERTIES
from pfamformer.report.figures import COLOURS, INK, STYLE, plt
from pfamformer.report.items import Item


@dataclass(frozen=True)
class Oval:
    """An ellipse in the plane of the diagram, and where its name stands."""

    x: float
    y: float
    width: float
    height: float
    angle: float
    label: tuple[float, float]

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether a point lies inside."""
        turn = np.deg2rad(self.angle)
        dx, dy = point[0] - self.x, point[1] - self.y
        along = dx * np.cos(turn) + dy * np.sin(turn)
        across = -dx * np.sin(turn) + dy * np.cos(turn)
        return bool((2 * along / self.width) ** 2 + (2 * across / self.height) ** 2 < 1)


#: One oval per property; what lies in which follows from :data:`PLACES` and is tested.
OVALS: dict[str, Oval] = {
    "hydrophobic": Oval(-2.2, 0, 7, 6.4, 0, (-4.9, 2.75)),
    "polar": Oval(2.2, 0, 7, 6.4, 0, (4.9, 2.75)),
    "small": Oval(0, 2.6, 8, 4, 0, (2.6, 4.45)),
    "tiny": Oval(-0.1, 2.65, 3.2, 0.9, 0, (-0.1, 3.3)),
    "aliphatic": Oval(-3.8, 0.9, 2.9, 1.1, 45, (-4.3, -0.35)),
    "aromatic": Oval(-0.8, -1.4, 3.6, 1.5, 0, (-1.3, -2.35)),
    "charged": Oval(1.9, 0.15, 4.6, 3.8, 0, (2.1, -2.0)),
    "positive": Oval(1.0, -0.4, 2.4, 1.9, 0, (2.5, -1.0)),
    "negative": Oval(3.1, 0.75, 2.3, 1.0, 115, (3.1, -0.65)),
}
#: Where each residue stands.
PLACES: dict[str, tuple[float, float]] = {
    "P": (0, 4.0), "A": (-1.25, 2.6), "G": (-0.7, 2.6), "S": (1.0, 2.55), "T": (0, 1.5),
    "C": (-2.0, 1.7), "V": (-3.0, 1.65), "I": (-3.9, 0.85), "L": (-4.5, 0.25), "M": (-3.0, -0.8),
    "F": (-2.0, -1.6), "W": (-0.5, -1.75), "Y": (-0.5, -1.1), "H": (0.4, -1.0), "K": (0.45, -0.1),
    "R": (1.75, -0.35), "E": (3.35, 0.1), "D": (2.8, 1.4), "N": (1.75, 2.25), "Q": (3.6, -1.9),
}  # fmt: skip


def draw() -> Figure:
    """The diagram."""
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(9, 6.6))
        colours = [*COLOURS[:4], *COLOURS[4:], *COLOURS[:3]]
        for (name, oval), colour in zip(OVALS.items(), colours, strict=True):
            axes.add_patch(
                Ellipse(
                    (oval.x, oval.y), oval.width, oval.height, angle=oval.angle,
                    facecolor=(*matplotlib.colors.to_rgb(colour), 0.08), edgecolor=colour, lw=1.8,
                )
            )  # fmt: skip
            axes.annotate(
                name, oval.label, ha="center", va="center", fontsize=11, fontweight="bold",
                color=colour,
            )  # fmt: skip
        for residue, place in PLACES.items():
            axes.annotate(
                residue, place, ha="center", va="center", fontsize=14, fontweight="bold", color=INK
            )
        axes.set_xlim(-6, 6)
        axes.set_ylim(-3.4, 4.9)
        axes.set_aspect("equal")
        axes.set_axis_off()
        return figure


def numbers() -> pd.DataFrame:
    """One row per residue, one column per property: yes or no."""
    return pd.DataFrame(
        {
            "residue": list(PLACES),
            **{
                name: ["yes" if residue in members else "no" for residue in PLACES]
                for name, members in PROPERTIES.items()
            },
        }
    )


def describe() -> Item:
    """The report item."""
    return Item(
        name="figure_9",
        section="analyses",
        title="Figure 9: properties of the residues",
        caption="The 20 residues and nine properties that overlap (Taylor 1986; Livingstone and "
        "Barton 1993). Cysteine is drawn as in a disulphide bridge.",
        text=[
            "These are the properties that figure 8 colours and tests. Proline is small and "
            "neither hydrophobic nor polar; histidine is the only residue that is both aromatic "
            "and charged."
        ],
        published="The study shows a diagram of the same kind.",
        figure="figure_9.svg",
        numbers="figure_9.tsv",
        rank=9,
    )
