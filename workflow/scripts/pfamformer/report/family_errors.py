"""Where methods err: against identity to the training set and against the size of the family."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfamformer.evaluation.classification import correct
from pfamformer.evaluation.strata import IDENTITIES, SIZES, add_strata, errors_by
from pfamformer.report.figures import COLOURS, INK, STYLE, plt
from pfamformer.report.items import Item
from pfamformer.report.table_3 import Entry

#: Column of the strata → how the figure calls it, the bins, how a bin is written.
STRATA = {
    "identity": ("identity to the nearest training domain (%)", IDENTITIES),
    "size": ("training domains of the family", SIZES),
}


def shown(entries: Sequence[Entry], reference: str, limit: int = 5) -> list[Entry]:
    """The methods that a figure shows: the reference, then the best of each kind, best first.

    Repetitions with other seeds are shown by their first.
    """
    first = list({entry.name: entry for entry in reversed(entries)}.values())[::-1]
    share = {e.name: (e.predictions["predicted"] == e.predictions["truth"]).mean() for e in first}
    ordered = sorted(first, key=lambda e: -share[e.name])
    chosen = [e for e in ordered if e.method == reference]
    for kind in ("combination", "network", "baseline", "neighbour"):
        chosen += [e for e in ordered if e.kind == kind and e not in chosen][:1]
    second = [e for e in ordered if e.kind == "network" and e not in chosen]
    return (chosen + second)[:limit]


def make_table(entries: Sequence[Entry], split: pd.DataFrame, **options: object) -> pd.DataFrame:
    """Error rates of every method in every bin of both strata (per cent).

    Args:
        options: ``draws``, ``confidence``, ``seed`` of the bootstrap.

    Returns:
        Columns ``method``, ``run``, ``stratum``, ``low``, ``high``, ``domains``, ``error``,
        ``error_low``, ``error_high``.
    """
    tables = []
    for entry in entries:
        judged = add_strata(correct(entry.predictions, split, entry.source), split)
        for stratum, (_, edges) in STRATA.items():
            found = errors_by(judged, stratum, edges, **options)
            found.insert(0, "stratum", stratum)
            found.insert(0, "run", entry.name)
            found.insert(0, "method", entry.method)
            tables.append(found)
    return pd.concat(tables, ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """One panel per stratum, one line per method, intervals as bands."""
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
        for panel, letter, (stratum, (label, _)) in zip(axes, "ab", STRATA.items(), strict=True):
            _panel(panel, table[table["stratum"] == stratum])
            panel.set_xlabel(label)
            panel.set_title(f"{letter}", loc="left", fontsize=10, fontweight="bold", color=INK)
        axes[0].set_ylabel("error (%)")
        lines, labels = axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, fontsize=8, ncols=3, loc="outside lower center")
        return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    lows = sorted(table["low"].unique())
    place = {low: i for i, low in enumerate(lows)}
    for colour, (_, part) in zip(COLOURS * 2, table.groupby("run", sort=False), strict=False):
        x = part["low"].map(place)
        axes.plot(x, part["error"], "o-", color=colour, ms=4, lw=1.4, label=part["method"].iloc[0])
        axes.fill_between(x, part["error_low"], part["error_high"], color=colour, alpha=0.12, lw=0)
    highs = table.groupby("low")["high"].max()
    counts = table.groupby("low")["domains"].first()
    scale = 100 if max(lows) <= 1 else 1
    labels = [f"{scale * low:g}–{scale * highs[low]:g}\n{counts[low]:g}" for low in lows]
    axes.set_xticks(range(len(lows)), labels, fontsize=7.5)
    axes.set_ylim(bottom=0)


def describe(table: pd.DataFrame) -> Item:
    """The item of the report."""
    text = []
    for method, part in table[table["stratum"] == "identity"].groupby("method", sort=False):
        far, near = part.iloc[0], part.iloc[-1]
        text.append(
            f"{method}: {far['error']:.1f} % wrong of the {far['domains']} domains with "
            f"{100 * far['low']:.0f} to {100 * far['high']:.0f} % identity to training, "
            f"{near['error']:.1f} % of the {near['domains']} with {100 * near['low']:.0f} to "
            f"{100 * near['high']:.0f} %."
        )
    return Item(
        name="family_errors",
        target="family_analysis",
        section="families",
        title="Errors by similarity to the training set and by size of the family",
        caption="Share of test domains that get a wrong family, with intervals over similarity "
        "components; under each bin the number of its domains. Identity counts identical residues "
        "over the shorter length.",
        text=text,
        figure="family_errors.svg",
        numbers="family_errors.tsv",
        rank=1,
    )
