"""Figure 14: attention against residue contacts."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.attention import NETWORKS
from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, said
from pfamformer.report.published import FIGURE_14

KINDS = {"near": "near", "far": "far", "union": "all"}
READINGS = {
    "maximum": "maximum over heads",
    "pooled": "heads pooled",
    "best head": "best head",
}
#: Recall below which a curve is a handful of pairs.
LEAST_RECALL = 1e-3
#: The threshold of Vig et al. 2021.
STRONG = 0.3


def draw(curves: pd.DataFrame, base: Mapping[str, float]) -> Figure:
    """Precision against recall, contacts by kind in rows and readings in columns.

    Args:
        curves: ``kind``, ``reading``, ``network`` and the columns of
            :func:`pfamformer.analysis.contacts.curve`.
        base: share of pairs that are contacts, by kind.
    """
    looks = [
        *((network, {"color": colour, "lw": 1.8}) for network, colour in NETWORKS.items()),
        ("distance along the chain", {"color": COLOURS[1], "lw": 1.3, "ls": (0, (4, 2))}),
        ("random head", {"color": COLOURS[2], "lw": 1.3, "ls": (0, (1, 1.5))}),
    ]
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(3, 3, figsize=(9, 8.4), sharex=True, sharey="row")
        letters = iter("abcdefghi")
        for row, (kind, words) in zip(axes, KINDS.items(), strict=True):
            for axis, (reading, name) in zip(row, READINGS.items(), strict=True):
                panel = curves[(curves["kind"] == kind) & (curves["reading"] == reading)]
                axis.axhline(100 * base[kind], color=INK, lw=0.9, ls=(0, (1, 3)), label="chance")
                for network, look in looks:
                    _line(axis, panel[panel["network"] == network], network, look)
                axis.set_xscale("log")
                axis.set_xlim(100 * LEAST_RECALL, 100)
                axis.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
                axis.set_ylim(0, 100 if kind == "near" else None)
                title(axis, next(letters), f"{words}, {name}")
                axis.title.set_fontsize(9)
            row[0].set_ylabel("precision (%)")
        for axis in axes[-1]:
            axis.set_xlabel("recall (%)")
        handles: dict = {}
        for axis in axes.flat:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=5, fontsize=9
        )
        return figure


def _line(axis: plt.Axes, found: pd.DataFrame, name: str, look: dict) -> None:
    # Thresholds that most chains do not reach say nothing of the mean chain.
    reached = found["structures"] >= found["structures"].max() / 2
    shown = found[(found["recall"] >= LEAST_RECALL) & found["precision"].notna() & reached]
    if shown.empty:
        return
    shown = shown.sort_values("recall")
    axis.plot(100 * shown["recall"], 100 * shown["precision"], label=name, **look)
    if name in NETWORKS:
        low, high = (
            100 * np.clip(shown["precision"] + sign * shown["precision_sd"].fillna(0), 0, 1)
            for sign in (-1, 1)
        )
        axis.fill_between(100 * shown["recall"], low, high, color=look["color"], alpha=0.15, lw=0)


def summary(curves: pd.DataFrame, base: Mapping[str, float]) -> pd.DataFrame:
    """Per kind, reading and network: the best F1 on the way, and attention of 0.3 and more."""
    rows = []
    for (kind, reading, network), found in curves.groupby(
        ["kind", "reading", "network"], sort=False
    ):
        p, r = found["precision"].fillna(0), found["recall"]
        f1 = 2 * p * r / np.maximum(p + r, 1e-12)
        best = found.loc[f1.idxmax()]
        strong = found.loc[(found["threshold"] - STRONG).abs().idxmin()]
        rows.append(
            {
                "kind": kind, "reading": reading, "network": network,
                "threshold": best["threshold"],
                "precision": 100 * best["precision"], "precision_sd": 100 * best["precision_sd"],
                "recall": 100 * best["recall"], "recall_sd": 100 * best["recall_sd"],
                "f1": 100 * f1.max(), "chance": 100 * base[kind],
                "strong": 100 * strong["precision"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def describe(table: pd.DataFrame, predicted: pd.DataFrame, structures: int) -> Item:
    """The report item.

    Args:
        table: of :func:`summary`.
        predicted: precision of the regression: ``network``, ``range``, ``share`` (of L),
            ``precision`` (mean over structures, per cent), ``structures``.
        structures: chains that were read.
    """
    row = table.set_index(["kind", "reading", "network"])

    def words(kind: str, reading: str) -> str:
        found = [row.loc[(kind, reading, network)] for network in NETWORKS]
        return " / ".join(f"{f['precision']:.0f} % at {f['recall']:.1f} % recall" for f in found)

    trained, before = (row.loc[("far", "best head", n)] for n in ("trained", "untrained"))
    chance = trained["chance"]
    text = [
        f"{structures} chains; {row.loc[('union', 'pooled', 'trained')]['chance']:.1f} % of their "
        f"pairs are contacts, {chance:.1f} % of those at least 6 residues apart. Precision at the "
        "threshold of the best F1, untrained / trained: all contacts with heads pooled "
        f"{words('union', 'pooled')}; far contacts with the best head {words('far', 'best head')}; "
        f"far contacts with the largest of all heads {words('far', 'maximum')}; near contacts with "
        f"the best head {words('near', 'best head')}. The best head is chosen on the other chains.",
        _verdict(trained, before),
        _regression(predicted),
    ]
    return Item(
        name="figure_14",
        section="analyses",
        title="Figure 14: attention and contacts",
        caption="Precision against recall of attention above a threshold that moves along each "
        "curve, mean over chains, shaded by one standard deviation. A contact: Cβ atoms (Cα of "
        "glycine) less than 8 Å apart; near: less than 6 residues apart in the chain. Controls: a "
        "score that only knows the distance along the chain, and a head taken at random (the "
        "mean over heads).",
        text=text,
        published=FIGURE_14,
        columns=[
            Column("kind", "contacts", "text"),
            Column("reading", "attention", "text"),
            Column("network", "network", "text"),
            Column("precision", "precision %", "number", 1),
            Column("precision_sd", "sd", "number", 1),
            Column("recall", "recall %", "number", 1),
            Column("recall_sd", "sd", "number", 1),
            Column("f1", "F1 %", "number", 1),
            Column("chance", "chance %", "number", 1),
            Column("strong", "attention ≥ 0.3 on contacts %", "number", 1),
        ],
        rank=14,
        **said(
            _attends(trained, before),
            "Attention finds residues in contact (figure 14), as in the study: precision of the "
            f"best head on far contacts {trained['precision']:.1f} %, by chance {chance:.1f} %.",
            "Attention does not find residues in contact (figure 14): precision of the best head "
            f"on far contacts {trained['precision']:.1f} %, by chance {chance:.1f} %.",
        ),
    )


def _attends(trained: pd.Series, before: pd.Series) -> bool:
    """Whether the best head is above chance and gained more than its spread over chains."""
    gain = trained["precision"] - before["precision"]
    spread = np.nanmax([trained["precision_sd"], before["precision_sd"], 0])
    return bool(trained["precision"] > 2 * trained["chance"] and gain > spread)


def _verdict(trained: pd.Series, before: pd.Series) -> str:
    if _attends(trained, before):
        return (
            "The study concluded that trained heads attend to residues in contact, far ones too. "
            "That holds here: the best head is above chance and above the untrained network."
        )
    return (
        "The study concluded that trained heads attend to residues in contact, far ones too. This "
        f"network does not show it: its best head has a precision of {trained['precision']:.1f} % "
        f"on far contacts, {before['precision']:.1f} % before training, {trained['chance']:.1f} % "
        "by chance."
    )


def _regression(predicted: pd.DataFrame) -> str:
    if predicted.empty:
        return "With fewer than two chains no regression can be fitted and judged."
    parts = []
    for apart, found in predicted.groupby("range", sort=False):
        values = found.pivot(index="network", columns="share", values="precision")
        each = [
            f"{network} {' / '.join(f'{values.loc[network, s]:.1f}' for s in ('L', 'L/2', 'L/5'))}"
            for network in values.index
        ]
        parts.append(f"{apart}: {'; '.join(each)}")
    return (
        "The field's reading, a logistic regression on the symmetrised and corrected attention of "
        "all heads, judged on chains it was not fitted on. Precision in per cent at L / L/2 / L/5, "
        f"{' — '.join(parts)}. For comparison, long range at L: TAPE's Transformer 11.2, ESM-2 "
        "15.9 (8 million parameters) to 42.2 (150 million), on other chains."
    )
