"""Where methods err: against identity to the training set and against the size of the family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


#: Identity to the nearest training domain under which the text calls a domain far; an edge of bins.
FAR = 0.25


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
        lines, names = axes[0].get_legend_handles_labels()
        figure.legend(lines, names, fontsize=8, ncols=3, loc="outside lower center")
        return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    lows = sorted(table["low"].unique())
    place = {low: i for i, low in enumerate(lows)}
    names = labels(table)
    runs = table.groupby("run", sort=False)
    for number, (colour, (run, part)) in enumerate(zip(COLOURS * 2, runs, strict=False)):
        x = part["low"].map(place)
        # A combination often coincides with its best part: dashes above the line show both.
        axes.plot(
            x, part["error"], "o--" if number % 2 else "o-", color=colour, ms=4, lw=1.4,
            label=names[run], zorder=3 - number / 10,
        )  # fmt: skip
        axes.fill_between(x, part["error_low"], part["error_high"], color=colour, alpha=0.12, lw=0)
    highs = table.groupby("low")["high"].max()
    counts = table.groupby("low")["domains"].first()
    scale = 100 if max(lows) <= 1 else 1
    ticks = [f"{scale * low:g}–{scale * highs[low]:g}\n{counts[low]:g}" for low in lows]
    axes.set_xticks(range(len(lows)), ticks, fontsize=7.5)
    axes.set_ylim(bottom=0)


def labels(table: pd.DataFrame) -> dict[str, str]:
    """How each run is called: its method, and its own name too where two runs share a method."""
    method = table.groupby("run", sort=False)["method"].first()
    shared = method.duplicated(keep=False)
    return {run: f"{method[run]} ({run})" if shared[run] else method[run] for run in method.index}


def describe(table: pd.DataFrame) -> Item:
    """The item of the report."""
    identity = table[table["stratum"] == "identity"]
    sides = [identity[(identity["low"] < FAR) == far] for far in (True, False)]
    names = labels(table)
    errors = {run: [_pooled(side[side["run"] == run]) for side in sides] for run in names}
    far, near = next(iter(errors.values()))
    return Item(
        name="family_errors",
        target="family_analysis",
        section="families",
        title="Errors by similarity to the training set and by size of the family",
        caption="Share of test domains that get a wrong family, with intervals over similarity "
        "components; under each bin the number of its domains. Identity counts identical residues "
        "over the shorter length.",
        text=[
            f"Per cent wrong of the {far.domains:,} test domains under {100 * FAR:.0f} % identity "
            f"to training, and of the {near.domains:,} others: "
            + "; ".join(
                f"{names[run]} {low.percent} and {high.percent}"
                for run, (low, high) in errors.items()
            )
            + "."
        ],
        figure="family_errors.svg",
        numbers="family_errors.tsv",
        rank=1,
        findings=[
            f"Wrong answers for the {far.domains:,} test domains under {100 * FAR:.0f} % identity "
            "to training: "
            + ", ".join(f"{names[run]} {low.percent} %" for run, (low, _) in errors.items())
            + "."
        ]
        if far.domains
        else [],
    )


@dataclass(frozen=True)
class _Errors:
    """Domains of several bins, and how many per cent of them are wrong."""

    domains: int
    percent: str


def _pooled(bins: pd.DataFrame) -> _Errors:
    domains = int(bins["domains"].sum())
    wrong = (bins["error"] * bins["domains"]).sum() / domains if domains else 0.0
    return _Errors(domains, f"{wrong:.1f}" if domains else "–")
