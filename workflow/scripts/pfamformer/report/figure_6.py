"""Figure 6: loss of masked language modelling during pretraining."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, INK, STYLE, plt
from pfamformer.report.items import Item

# Nats under the loss without context that a fraction of a million targets can tell from nothing.
NOTABLE = 0.02


def draw(metrics: Mapping[str, pd.DataFrame], references: Mapping[str, float]) -> Figure:
    """Pretraining loss against residues read: the whole course, and its end enlarged.

    Args:
        metrics: per run, the ``metrics`` table.
        references: per run, the least loss of a network without context (nats).
    """
    with matplotlib.rc_context(STYLE):
        figure, (whole, zoomed) = plt.subplots(1, 2, figsize=(9, 3.6))
        floor, ceiling = [], []
        for colour, (run, table) in zip(COLOURS * len(metrics), metrics.items(), strict=False):
            train, valid = (table[table["part"] == part] for part in ("train", "valid"))
            reference = references[run]
            late = train[train["step"] >= train["step"].max() / 4]
            floor.append(min(late["loss"].min(), valid["loss"].min(), reference))
            ceiling.append(max(late["loss"].max(), reference))
            for axes in (whole, zoomed):
                axes.plot(
                    train["tokens"] / 1e6, train["loss"], color=colour, lw=1.2, alpha=0.75,
                    label=f"{run}, training",
                )  # fmt: skip
                axes.plot(
                    valid["tokens"] / 1e6, valid["loss"], color=colour, lw=0, marker="o", ms=4.5,
                    mec="white", mew=0.6, label=f"{run}, validation",
                )  # fmt: skip
                axes.axhline(reference, color=INK, lw=1, ls=(0, (4, 3)))
        zoomed.annotate(
            f"without context, {max(references.values()):.2f}",
            # On the left the curves are still far above.
            (0, max(references.values())), xycoords=("axes fraction", "data"),
            xytext=(4, -3), textcoords="offset points", ha="left", va="top", fontsize=9,
            color=INK,
        )  # fmt: skip
        margin = 0.12 * (max(ceiling) - min(floor))
        zoomed.set_ylim(min(floor) - margin, max(ceiling) + 1.6 * margin)
        whole.set_title("a  whole course", loc="left", fontsize=10, fontweight="bold", color=INK)
        zoomed.set_title("b  enlarged", loc="left", fontsize=10, fontweight="bold", color=INK)
        for axes in (whole, zoomed):
            axes.set_xlabel("residues read (millions)")
            axes.set_ylabel("masked-residue loss (nats)")
            axes.set_xlim(left=0)
        whole.legend(fontsize=9)
        return figure


def describe(
    metrics: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, dict[str, Any]],
    corpora: Mapping[str, str],
) -> Item:
    """The report item: one paragraph per run."""
    return Item(
        name="figure_6",
        section="pretraining",
        title="Figure 6: pretraining loss",
        caption="Loss at residues that the network had to predict, whole course and enlarged. "
        "Points are validation sequences with fixed masks. Dashed: the least loss of a network "
        "that knows how common each residue is and how targets are hidden, yet looks at no other "
        "residue.",
        text=[_paragraph(name, corpora[name], metrics[name], summaries[name]) for name in metrics],
        figure="figure_6.svg",
        numbers="figure_6.tsv",
        rank=6,
    )


def _paragraph(name: str, corpus: str, metrics: pd.DataFrame, summary: dict[str, Any]) -> str:
    valid = metrics[metrics["part"] == "valid"]
    first, last = valid.iloc[0], valid.iloc[-1]
    verdict = against_no_context(last["loss"], summary)
    return (
        f"{name}: a network of {summary['parameters']:,} parameters read "
        f"{summary['residues_read'] / 1e6:.1f} million residues of {corpus.replace('_', ' ')} "
        f"({summary['residues_read'] / summary['train_residues']:.1f} times the corpus). The "
        f"validation loss fell from {first['loss']:.2f} to {last['loss']:.2f} nats "
        f"(exponentiated: {math.exp(last['loss']):.1f}; accuracy {100 * last['accuracy']:.1f} %), "
        f"{verdict}."
    )


def against_no_context(loss: float, summary: Mapping[str, Any]) -> str:
    """What a validation loss (nats) says about the use of context."""
    entropy, reference = summary["residue_entropy"], summary["context_free_loss"]
    gain = reference - loss
    where = f"{abs(gain):.2f} nats {'under' if gain > 0 else 'above'} the {reference:.2f} that "
    known = "frequencies and masking alone allow" + (
        f" (entropy of the frequencies: {entropy:.2f})" if entropy != reference else ""
    )
    learnt = "it has learnt from the context"
    if gain <= NOTABLE:
        learnt = f"it has learnt {'nothing' if gain <= 0 else 'hardly anything'} from the context"
    return f"{where}{known}: {learnt}"
