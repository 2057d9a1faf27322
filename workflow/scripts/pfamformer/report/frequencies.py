"""Predicted against real residue frequencies, and the order in which residues are learnt."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, p_phrase, said

#: A residue counts as learnt once this share of its masked occurrences is predicted right.
LEARNT = 0.05


def learning_order(course: pd.DataFrame) -> pd.DataFrame:
    """One row per residue, the most frequent first.

    Columns: its ``real`` share, final ``probability``, ``top`` and ``recall``, and ``learnt_at``,
    the first step whose recall reaches :data:`LEARNT` (after step 0, whose predictions are
    accidents; empty where it never does).
    """
    last = course[course["step"] == course["step"].max()].set_index("residue")
    reached = course[(course["recall"] >= LEARNT) & (course["step"] > 0)]
    table = last.assign(learnt_at=reached.groupby("residue")["step"].min())
    columns = ["real", "probability", "top", "recall", "learnt_at"]
    return table.sort_values("real", ascending=False)[columns].reset_index()


def draw(course: pd.DataFrame) -> Figure:
    """Predicted against real shares of the trained network, and recall along training."""
    order = learning_order(course)
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5), width_ratios=[1, 1.15])
        rows = range(len(order))
        for column, name, colour, marker in (
            ("real", "real share", INK, "|"),
            ("probability", "mean probability", COLOURS[0], "o"),
            ("top", "top predictions", COLOURS[1], "D"),
        ):
            left.scatter(
                100 * order[column], rows, s=90 if marker == "|" else 26, color=colour,
                marker=marker, lw=2 if marker == "|" else 0, label=name, clip_on=False, zorder=3,
            )  # fmt: skip
        # Shares span three orders of magnitude, and some are zero.
        left.set_xscale("symlog", linthresh=1)
        left.set_xlim(0, 100)
        left.set_xticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
        left.minorticks_off()
        left.set_yticks(rows, order["residue"], fontsize=9)
        left.set_ylim(len(order) - 0.5, -0.5)
        left.set_xlabel("share of masked residues (%)")
        left.set_ylabel("residue, most frequent first")
        left.legend(fontsize=9, loc="lower right", frameon=True, edgecolor="none")
        title(left, "a", "trained network")
        steps = sorted(course["step"].unique())
        recall = course.pivot(index="residue", columns="step", values="recall")
        image = right.imshow(
            100 * recall.loc[order["residue"], steps], aspect="auto", cmap="cividis", vmin=0,
            interpolation="none",
        )  # fmt: skip
        right.grid(False)
        right.set_xticks(range(len(steps)), [f"{s:,}" for s in steps], rotation=45, ha="right")
        right.set_yticks(range(len(order)), order["residue"], fontsize=9)
        right.tick_params(length=0)
        right.set_xlabel("optimiser step")
        right.set_ylabel("residue, most frequent first")
        bar = figure.colorbar(image, ax=right)
        bar.outline.set_visible(False)
        bar.set_label("masked residues predicted right (%)", color=INK)
        title(right, "b", "what is learnt when")
        return figure


def describe(course: pd.DataFrame) -> Item:
    """The report item."""
    order = learning_order(course)
    first = course[course["step"] == 0]
    distance = [
        0.5 * np.abs(table["probability"] - table["real"]).sum()
        for table in (first, course[course["step"] == course["step"].max()])
    ]
    learnt = order.dropna(subset="learnt_at")
    text = [
        f"Before training the predicted mean frequencies are {100 * distance[0]:.0f} % away from "
        f"the real ones (total variation), after it {100 * distance[1]:.1f} %. The most "
        f"frequent top prediction is {order.loc[order['top'].idxmax(), 'residue']}: "
        f"{100 * order['top'].max():.1f} % of top predictions against "
        f"{100 * order.loc[order['top'].idxmax(), 'real']:.0f} % of residues; "
        f"{int((order['top'] > 0).sum())} residues are the top prediction anywhere.",
        _order(learnt, len(order), course["step"].nunique()),
    ]
    return Item(
        name="frequencies",
        section="analyses",
        title="Predicted residue frequencies and the order of learning",
        caption="Left: how often each residue is predicted at masked positions against how often "
        "it is there. Right: share of its masked occurrences that are predicted right, along "
        "training.",
        text=text,
        published="The study reports that the most frequent residue is learnt first, then the "
        "second most frequent.",
        columns=[
            Column("residue", "residue", "text"),
            Column("real", "real share", "number", 3),
            Column("probability", "mean probability", "number", 3),
            Column("top", "share of top predictions", "number", 3),
            Column("recall", "recall", "number", 3),
            Column("learnt_at", "recall 5 % at step", "number", 0),
        ],
        rank=12.5,
        **said(
            distance[1] < distance[0],
            f"The network learns how common each residue is: its mean prediction is "
            f"{100 * distance[0]:.0f} % off before training, {100 * distance[1]:.1f} % after.",
            f"The network does not learn how common each residue is: its mean prediction is "
            f"{100 * distance[0]:.0f} % off before training, {100 * distance[1]:.1f} % after.",
        ),
    )


def _order(learnt: pd.DataFrame, residues: int, snapshots: int) -> str:
    if snapshots < 4 or learnt["learnt_at"].nunique() < 2:
        return (
            f"{len(learnt)} of {residues} residues reach a recall of {100 * LEARNT:.0f} %. With "
            f"{snapshots} snapshots of this run the order in which they do cannot be told."
        )
    found = spearmanr(learnt["real"], learnt["learnt_at"])
    sequence = learnt.sort_values(["learnt_at", "real"], ascending=[True, False])
    steps = sequence.groupby("learnt_at")["residue"].apply(" and ".join)
    words = ", ".join(f"{letters} by step {int(step):,}" for step, letters in steps.items())
    holds = found.statistic < 0 and found.pvalue < 0.05
    return (
        f"{len(learnt)} of {residues} residues reach a recall of {100 * LEARNT:.0f} %: {words}. "
        f"Frequent residues first: Spearman {found.statistic:+.2f} between frequency and step "
        f"({p_phrase(found.pvalue)}). "
        + ("The study's order holds here." if holds else "The study's order is not seen here.")
    )
