"""Embedding arithmetic between kinds of proteins and between species."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, said

HOW = {"no step": "#888888", "mean step": COLOURS[0]}


def draw(summary: pd.DataFrame) -> Figure:
    """Share of trials whose target is the nearest, or among the 5 nearest, by encoder."""
    steps = list(dict.fromkeys(summary["step"]))
    encoders = list(dict.fromkeys(summary["encoder"]))
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(steps), figsize=(9, 3.4), sharey=True, squeeze=False)
        for axis, letter, step in zip(axes[0], "ab", steps, strict=False):
            for (how, colour), shift in zip(HOW.items(), (-0.19, 0.19), strict=True):
                rows = summary[(summary["step"] == step) & (summary["how"] == how)]
                rows = rows.set_index("encoder").loc[encoders]
                place = np.arange(len(encoders)) + shift
                axis.bar(place, 100 * rows["hits_5"], 0.36, color=colour, alpha=0.35)
                axis.bar(place, 100 * rows["hits_1"], 0.36, color=colour, label=how)
            axis.axhline(100 * rows["chance_1"].iloc[0], color=INK, lw=1, ls=(0, (1, 2)))
            axis.set_xticks(range(len(encoders)), [e.replace(" ", "\n") for e in encoders])
            axis.grid(axis="x", visible=False)
            title(axis, letter, f"step {step} ({int(rows['trials'].iloc[0]):,} trials)")
        axes[0, 0].set_ylabel("target found (%)\ndark: nearest, light: among 5")
        axes[0, 0].legend(fontsize=9, loc="upper left")
        return figure


def describe(summary: pd.DataFrame, proteins: int, kinds: int, species: int) -> Item:
    """The report item, from :func:`pfamformer.analysis.orthologues.arithmetic`."""
    row = summary.set_index(["encoder", "step", "how"])
    sentences, works = [], []
    for step in dict.fromkeys(summary["step"]):
        trained = row.loc[("trained Transformer", step, "mean step")]
        others = {
            "without a step": row.loc[("trained Transformer", step, "no step")],
            "with the untrained network": row.loc[("untrained Transformer", step, "mean step")],
            "with residue composition alone": row.loc[("residue composition", step, "mean step")],
        }
        better = trained["hits_1_low"] > max(other["hits_1_high"] for other in others.values())
        works += [step] if better else []
        compared = ", ".join(f"{100 * o['hits_1']:.1f} % {words}" for words, o in others.items())
        sentences.append(
            f"{step.capitalize()} the mean step finds its target as the nearest protein in "
            f"{100 * trained['hits_1']:.1f} % of trials with the trained network "
            f"({100 * trained['hits_1_low']:.1f} to {100 * trained['hits_1_high']:.1f}; {compared})"
            + (
                ": the step carries something that training has put there."
                if better
                else ": not above these by more than the intervals."
            )
        )
    return Item(
        name="orthologues",
        section="analyses",
        title="Embedding arithmetic across species",
        caption=f"{proteins} serine proteases of {kinds} kinds and {species} species. The mean "
        "step from kind A to kind B (or from one species to another), taken over the other "
        "species (kinds), is added to one protein; its target should be the nearest. The dotted "
        "line is chance.",
        text=[
            " ".join(sentences)
            + " The study cites that such arithmetic works rather well with a trained Transformer."
        ],
        published="Cited by the study (section 2.5.4): works rather well with a trained "
        "Transformer; no number.",
        columns=[
            Column("encoder", "encoder", "text"),
            Column("step", "step", "text"),
            Column("how", "how", "text"),
            Column("trials", "trials", "number", 0),
            Column("hits_1", "nearest (share)", "interval", 3),
            Column("hits_5", "among 5 (share)", "number", 3),
        ],
        rank=16,
        **said(
            bool(works),
            f"Embedding arithmetic works {' and '.join(works)}, above every control.",
            "Embedding arithmetic finds its target no more often than the controls.",
        ),
    )
