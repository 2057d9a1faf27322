"""What the report shows of one ablation: a dot plot, cost against quality, the table."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, INK, STYLE, plt
from pfamformer.report.items import Column, Item


def draw(table: pd.DataFrame) -> Figure:
    """Accuracy of every run with its interval, and accuracy against what it cost.

    Args:
        table: of :func:`pfamformer.evaluation.ablation.make_table`.
    """
    # 0.34 inch a row keeps the labels apart; 1.7 holds axis, title and margins.
    height = max(2.8, 1.7 + 0.34 * len(table))
    with matplotlib.rc_context(STYLE):
        figure, (dots, cost) = plt.subplots(
            1, 2, figsize=(9, height), sharey=False, width_ratios=[1.25, 1]
        )
        _dots(dots, table)
        _cost(cost, table)
        return figure


def _dots(axes: Axes, table: pd.DataFrame) -> None:
    for place, row in enumerate(table.to_dict("records")):
        colour = COLOURS[1] if place == 0 else COLOURS[0]
        axes.plot([row["accuracy_low"], row["accuracy_high"]], [place, place], color=colour, lw=2.5,
                  alpha=0.45, solid_capstyle="round")  # fmt: skip
        axes.plot(row["accuracy"], place, "o", color=colour, ms=7)
    axes.axvline(table["accuracy"].iloc[0], color=COLOURS[1], lw=1, ls=(0, (4, 3)))
    axes.set_yticks(range(len(table)), table["run"])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("accuracy per domain (%), with interval")
    axes.set_title("a  quality", loc="left", fontsize=10, fontweight="bold", color=INK)


def _cost(axes: Axes, table: pd.DataFrame) -> None:
    hours = table["hours"] + table["pretraining_hours"]
    for place, (x, y) in enumerate(zip(hours, table["accuracy"], strict=True)):
        axes.plot(x, y, "o", color=COLOURS[1] if place == 0 else COLOURS[0], ms=7)
    # Names stand on the side where there is room, a twelfth of the height apart at least.
    left = hours <= (hours.min() + hours.max()) / 2
    apart = max(0.5, np.ptp(table["accuracy"])) / 12
    for side, chosen in (("left", table[left]), ("right", table[~left])):
        height = -np.inf
        for row in chosen.sort_values("accuracy").itertuples():
            height = max(row.accuracy, height + apart)
            name = f"   {row.run}" if side == "left" else f"{row.run}   "
            axes.text(hours[row.Index], height, name, ha=side, va="center", fontsize=8.5, color=INK)
    axes.margins(x=0.25, y=0.2)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("device hours, pretraining included")
    axes.set_ylabel("accuracy (%)")
    axes.set_title("b  quality against cost", loc="left", fontsize=10, fontweight="bold", color=INK)


def describe(name: str, question: str, table: pd.DataFrame, confidence: float) -> Item:
    """The report item, with one sentence per run."""
    base = table.iloc[0]
    unpaired = table[table["paired"] == "no"]
    text = [f"The base run, {base['run']}, reaches {base['accuracy']:.1f} %{_spread(base)}."]
    text += [_sentence(row) for row in table.iloc[1:].to_dict("records")]
    if len(unpaired):
        text.append(
            f"Judged on other test domains than the base run, so that the difference also holds "
            f"that of the domains: {', '.join(unpaired['run'])}."
        )
    return Item(
        name=f"ablation_{name}",
        section="ablations",
        title=question,
        caption="Accuracy of family prediction, the base run in orange, and what training cost: "
        "hours of a GPU or of a processor core in training steps. Differences are in percentage "
        f"points with {100 * confidence:.0f} % intervals, bootstrapped over similarity components, "
        "paired where both runs were judged on the same domains. Perplexities compare between runs "
        "with the same objective and the same tokens only.",
        text=text,
        figure=f"{name}.svg",
        numbers=f"{name}.tsv",
        columns=[
            Column("run", "run", "text"),
            Column("differs", "differs from the base run in", "text"),
            Column("seeds", "seeds", digits=0),
            Column("accuracy", "per domain, %", "interval"),
            Column("accuracy_sd", "sd over seeds", digits=2),
            Column("family_accuracy", "per family, %"),
            Column("delta", "difference", "interval"),
            Column("perplexity", "perplexity of pretraining", digits=2),
            Column("parameters", "parameters", digits=0),
            Column("residues", "residues read", digits=0),
            Column("hours", "hours of fine-tuning", digits=3),
            Column("pretraining_hours", "of pretraining", digits=3),
            Column("device", "device", "text"),
        ],
        findings=_findings(question, table),
        target="ablation",
    )


def _findings(question: str, table: pd.DataFrame) -> list[str]:
    clear = table.iloc[1:]
    clear = clear[(clear["delta_low"] > 0) | (clear["delta_high"] < 0)]
    if clear.empty:
        return [f"{question} No run differs from {table['run'].iloc[0]} by more than its interval."]
    said = ", ".join(f"{r.run} {r.delta:+.1f}" for r in clear.itertuples())
    return [f"{question} Beyond their intervals, against {table['run'].iloc[0]}, in percentage "
            f"points: {said}."]  # fmt: skip


def _spread(row: pd.Series | dict) -> str:
    if row["seeds"] < 2:
        return ""
    return f" (mean of {row['seeds']} seeds, standard deviation {row['accuracy_sd']:.1f} points)"


def _sentence(row: dict) -> str:
    low, high = row["delta_low"], row["delta_high"]
    if low > 0:
        verdict = "better than the base run"
    elif high < 0:
        verdict = "worse than the base run"
    else:
        verdict = "not distinguishable from the base run: the interval holds zero"
    return (
        f"{row['run']}: {row['accuracy']:.1f} %{_spread(row)}, {row['delta']:+.1f} percentage "
        f"points ({low:+.1f} to {high:+.1f}), {verdict}."
    )
