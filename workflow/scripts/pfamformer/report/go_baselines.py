"""Function: Fmax and Smin of every method that calls GO terms, with its curves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfamformer.methods import BIT_SCORE_VOTE, FREQUENCIES, NETWORK_AND_VOTE, RANKING
from pfamformer.report.figures import COLOURS, STYLE, plt
from pfamformer.report.items import Column, Item

COMBINED = (NETWORK_AND_VOTE, RANKING)
NAMES = {"mfo": "molecular function", "bpo": "biological process", "cco": "cellular component"}
#: Lines beyond the colours are dashed, so that no two methods look alike.
DASHES = ("-", "--", ":")


def draw(curves: pd.DataFrame) -> Figure:
    """Precision against recall (above) and misinformation against remaining uncertainty (below).

    Args:
        curves: columns ``ontology``, ``method``, ``precision``, ``recall``, ``remaining``,
            ``wrong``, ``f``, ``s``.
    """
    shown = [name for name in NAMES if name in set(curves["ontology"])]
    methods = list(dict.fromkeys(curves["method"]))
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(2, len(shown), figsize=(3.4 * len(shown), 6.4), squeeze=False)
        for column, name in enumerate(shown):
            for (dash, colour), method in zip(product(DASHES, COLOURS), methods, strict=False):
                rows = curves[(curves["ontology"] == name) & (curves["method"] == method)]
                if rows.empty:
                    continue
                upper, lower = axes[:, column]
                _line(upper, rows, "recall", "precision", rows["f"].idxmax(), colour, dash, method)
                _line(lower, rows, "remaining", "wrong", rows["s"].idxmin(), colour, dash, method)
            upper.set(title=NAMES[name], xlabel="recall", ylabel="precision",
                      xlim=(0, 1), ylim=(0, 1))  # fmt: skip
            # Calling everything is wrong by hundreds of bits: only the useful corner is shown.
            inside = curves[curves["ontology"] == name]
            highest = 0.8 * inside["s"].min()
            near = inside.loc[inside["wrong"] <= highest, "remaining"]
            lower.set(xlabel="remaining uncertainty (bits)", ylabel="misinformation (bits)",
                      xlim=(0.97 * near.min(), 1.01 * near.max()), ylim=(0, highest))  # fmt: skip
        lines, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(lines, names, fontsize=8, ncols=3, loc="outside lower center")
    return figure


def _line(
    axis: Axes, rows: pd.DataFrame, x: str, y: str, best: int, colour: str, dash: str, label: str
) -> None:
    width = 2.4 if label in COMBINED else 1.3
    axis.plot(rows[x], rows[y], dash, color=colour, lw=width, label=label)
    axis.plot(rows.loc[best, x], rows.loc[best, y], "o", color=colour, markersize=4)


def describe(table: pd.DataFrame, identity: pd.DataFrame, summary: Mapping) -> Item:
    """The item of the report."""
    text, leaders = [], []
    for name, long_name in NAMES.items():
        rows = table[table["ontology"] == name]
        if rows.empty:
            continue
        best = rows.loc[rows["fmax"].idxmax()]
        leaders.append(f"{long_name} {best['method']} ({best['fmax']:.2f})")
        counts = summary["ontologies"][name]
        text.append(
            f"{long_name.capitalize()}: {counts['train']:,} training proteins, "
            f"{best['proteins']:,} test proteins, {counts['predicted_terms']:,} of "
            f"{counts['terms']:,} terms have enough training proteins. "
            f"Highest Fmax: {best['fmax']:.3f}, {best['method']}."
        )
    known = int(table.groupby("ontology")["negatives"].max().sum())
    text += [
        _far(identity),
        "Annotations are open-ended: a term that is not annotated may still be true, so precision "
        f"and misinformation are too pessimistic. Known not to hold (NOT) are {known:,} facts "
        f"about the test proteins; at their best thresholds the {table['method'].nunique()} "
        f"methods call one {int(table['negatives_called'].sum()):,} times in all.",
    ]
    return Item(
        name="go_baselines",
        section="function",
        title="Gene Ontology terms",
        caption="Best F over thresholds (Fmax, higher is better) and least semantic distance "
        "(Smin, bits, lower is better) on proteins that had no experimental annotation before the "
        "test date; intervals by bootstrap over proteins. Dots mark the best thresholds.",
        text=[paragraph for paragraph in text if paragraph],
        figure="go_baselines.svg",
        numbers="go_baselines.tsv",
        columns=[
            Column("ontology", "Ontology", "capitals"),
            Column("method", "Method", "text"),
            Column("proteins", "Proteins", digits=0),
            Column("coverage", "Coverage", digits=2),
            Column("fmax", "Fmax", "interval", 3),
            Column("weighted_fmax", "Weighted Fmax", digits=3),
            Column("smin", "Smin", "interval", 2),
            Column("negatives_called", "Known negatives called", digits=0),
        ],
        rank=7,
        findings=[f"Best Fmax for Gene Ontology terms: {'; '.join(leaders)}."] if leaders else [],
        shortfalls=shortfalls(table),
    )


def shortfalls(table: pd.DataFrame) -> list[str]:
    """Where networks, and what they are combined into, fall behind the vote of neighbours.

    A combination is no network: what it owes to whom shows beside its members only.
    """
    fmax = {
        kind: table[rows].groupby("ontology")["fmax"].max()
        for kind, rows in {
            "network": table["method"].str.startswith("network, "),
            "together": table["method"].isin(COMBINED),
            "vote": table["method"] == BIT_SCORE_VOTE,
            "frequencies": table["method"] == FREQUENCIES,
        }.items()
    }
    said = {
        "No network alone calls GO terms better than neighbours by bit score":
            ("network", "vote"),
        "No network alone calls GO terms better than their training frequencies":
            ("network", "frequencies"),
        "No combination of methods calls GO terms better than neighbours by bit score":
            ("together", "vote"),
    }  # fmt: skip
    return [
        f"{sentence}: {', '.join(names)}."
        for sentence, (ours, other) in said.items()
        if (names := _not_above(fmax[ours], fmax[other]))
    ]


def _not_above(ours: pd.Series, other: pd.Series) -> list[str]:
    """Names of the ontologies in which both have a number and ours is not the higher one."""
    return [NAMES[o] for o in NAMES if o in ours and o in other and ours[o] <= other[o]]


def _far(identity: pd.DataFrame) -> str:
    """How the best method does far from the training proteins, against near."""
    rows = identity[identity["ontology"] == "mfo"]
    if rows.empty:
        return ""
    mean = (rows["fmax"] * rows["proteins"]).groupby(rows["method"]).sum()
    rows = rows[rows["method"] == mean.idxmax()]
    said = ", ".join(
        f"{r.fmax:.3f} ({r.identity}, {r.proteins} proteins)" for r in rows.itertuples()
    )
    return (
        "By identity to the most similar training protein, Fmax in molecular function of "
        f"{mean.idxmax()}: {said}."
    )
