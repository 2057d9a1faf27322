"""Separation of families by trained and untrained encoders."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, said

#: Encoders in the order of the figure.
TRAINED, UNTRAINED = "trained Transformer", "untrained Transformer"
LSTM, COMPOSITION = "untrained LSTM", "residue composition"


def draw(table: pd.DataFrame) -> Figure:
    """Nearest-neighbour accuracy with interval, and silhouette, one row per encoder."""
    rows = np.arange(len(table))
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
        low, high = (
            100 * np.abs(table[f"accuracy_{end}"] - table["accuracy"]) for end in ("low", "high")
        )
        left.errorbar(
            100 * table["accuracy"], rows, xerr=[low, high], fmt="o", ms=7, color=COLOURS[0], lw=1.6
        )
        left.set_xlim(left=0)
        left.set_xlabel("nearest training domain of the same family (%)")
        title(left, "a", "held-out domains")
        right.scatter(table["silhouette"], rows, s=50, color=COLOURS[1], zorder=3)
        right.axvline(0, color=INK, lw=0.8)
        right.set_xlabel("silhouette by family (−1 to 1)")
        title(right, "b", "training domains")
        left.set_yticks(rows, table["encoder"])
        left.set_ylim(len(table) - 0.5, -0.5)
        return figure


def describe(table: pd.DataFrame, domains: int, families: int) -> Item:
    """The report item.

    Args:
        table: of :func:`pfamformer.analysis.separation.separation`.
        domains, families: held-out domains, and their families.
    """
    row = table.set_index("encoder")
    parts = [
        f"{name} {100 * r['accuracy']:.1f} % ({100 * r['accuracy_low']:.1f} to "
        f"{100 * r['accuracy_high']:.1f}), silhouette {r['silhouette']:+.2f}"
        for name, r in row.iterrows()
    ]
    fresh, lstm, plain = row.loc[UNTRAINED], row.loc[LSTM], row.loc[COMPOSITION]
    ahead = fresh["accuracy_low"] > lstm["accuracy_high"]
    beyond = row.loc[TRAINED]["accuracy_low"] > plain["accuracy_high"]
    text = [
        f"Family of the nearest of the training domains, for {domains} held-out domains of "
        f"{families} families, by the mean embedding of their residues: {'; '.join(parts)}.",
        "An untrained Transformer is said to separate homologous families much better than an "
        "untrained LSTM. "
        + ("That holds here. " if ahead else "Here it is not ahead by more than the intervals. ")
        + "The mean of untrained embeddings knows little more than the composition of a sequence, "
        f"which by itself reaches {100 * plain['accuracy']:.1f} %; the trained network is "
        + ("above that." if beyond else "not above that by more than the intervals."),
    ]
    return Item(
        name="separation",
        section="analyses",
        title="Families told apart without training for it",
        caption="Mean embeddings of domains, compared by cosine around their mean. Intervals over "
        "components of similar domains.",
        text=text,
        published="Cited by the study (section 2.5.4): an untrained Transformer separates "
        "homologous families much better than an LSTM; no number.",
        columns=[
            Column("encoder", "encoder", "text"),
            Column("accuracy", "nearest neighbour right (share)", "interval", 3),
            Column("silhouette", "silhouette", "number", 3),
        ],
        rank=15,
        **said(
            bool(beyond),
            f"Embeddings tell families apart without training for it: "
            f"{100 * row.loc[TRAINED]['accuracy']:.1f} % by the nearest domain, "
            f"{100 * plain['accuracy']:.1f} % by residue composition alone.",
            f"Embeddings tell families apart no better than residue composition: "
            f"{100 * row.loc[TRAINED]['accuracy']:.1f} % by the nearest domain, "
            f"{100 * plain['accuracy']:.1f} % by composition.",
        ),
    )
