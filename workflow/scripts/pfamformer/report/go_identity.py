"""Function by identity to the training set: where neighbours help, and where nothing is near."""

from __future__ import annotations

from itertools import product

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.evaluation.terms import IDENTITY_CLASSES
from pfamformer.methods import BIT_SCORE_VOTE
from pfamformer.report.figures import COLOURS, STYLE, plt
from pfamformer.report.go_baselines import COMBINED, DASHES, NAMES
from pfamformer.report.items import Item

CLASSES = [label for _, label in IDENTITY_CLASSES]
FAR, NEAR = CLASSES[0], CLASSES[-1]


def draw(identity: pd.DataFrame) -> Figure:
    """Fmax of every method in each class, an ontology a panel; under a class its proteins.

    Args:
        identity: columns ``ontology``, ``method``, ``identity``, ``proteins``, ``fmax``.
    """
    shown = [name for name in NAMES if name in set(identity["ontology"])]
    methods = list(dict.fromkeys(identity["method"]))
    with matplotlib.rc_context(STYLE):
        width = 3.4 * max(1, len(shown))
        figure, axes = plt.subplots(1, max(1, len(shown)), figsize=(width, 3.8), squeeze=False)
        for axis, name in zip(axes[0], shown, strict=False):
            inside = identity[identity["ontology"] == name]
            for (dash, colour), method in zip(product(DASHES, COLOURS), methods, strict=False):
                rows = inside[inside["method"] == method].set_index("identity").reindex(CLASSES)
                width = 2.4 if method in COMBINED else 1.3
                axis.plot(CLASSES, rows["fmax"], dash, color=colour, lw=width, marker="o",
                          markersize=4, label=method)  # fmt: skip
            proteins = inside.groupby("identity")["proteins"].max()
            ticks = [f"{label}\n({proteins.get(label, 0):,})" for label in CLASSES]
            axis.set_xticks(range(len(CLASSES)), ticks)
            axis.set(title=NAMES[name], ylabel="Fmax", ylim=(0, 1))
        lines, names = axes[0, 0].get_legend_handles_labels()
        if lines:
            figure.legend(lines, names, fontsize=8, ncols=3, loc="outside lower center")
    return figure


def describe(identity: pd.DataFrame) -> Item:
    """The item of the report."""
    return Item(
        name="go_identity",
        section="function",
        title="Gene Ontology terms by identity to the training set",
        caption="Fmax of test proteins by the identity of their most similar training protein in "
        "the search for neighbours; in brackets the proteins of a class. A small class has a "
        "flattering Fmax: its threshold is chosen on few proteins.",
        text=[text for name in NAMES if (text := _sentence(identity, name))],
        figure="go_identity.svg",
        numbers="go_identity.tsv",
        rank=7.2,
        target="go_baselines",
    )


def _sentence(identity: pd.DataFrame, name: str) -> str:
    """The best method where no training protein is near and where one is, and the vote there."""
    said = []
    for label, where in ((FAR, "without a hit"), (NEAR, "at 60 % identity or more")):
        rows = identity[(identity["ontology"] == name) & (identity["identity"] == label)]
        rows = rows.dropna(subset=["fmax"])
        if rows.empty:
            continue
        best = rows.loc[rows["fmax"].idxmax()]
        vote = rows.loc[rows["method"] == BIT_SCORE_VOTE, "fmax"]
        other = len(vote) and best["method"] != BIT_SCORE_VOTE
        beside = f"; {BIT_SCORE_VOTE} {vote.iloc[0]:.3f}" if other else ""
        said.append(f"{where} {best['method']} leads ({best['fmax']:.3f}{beside})")
    return f"{NAMES[name].capitalize()}: {', '.join(said)}." if said else ""
