"""The linear probe for secondary structure."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.attention import NETWORKS
from pfamformer.report.figures import COLOURS, STYLE, plt
from pfamformer.report.items import Column, Item, said

CONTROLS = {"residue alone": (COLOURS[1], (4, 2)), "most frequent state": (COLOURS[2], (1, 1.5))}


def draw(table: pd.DataFrame) -> Figure:
    """Accuracy by layer, untrained and trained, with the controls as lines."""
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9, 3.8))
        for name, (colour, dashes) in CONTROLS.items():
            value = table.loc[table["network"] == name, "accuracy"].iloc[0]
            axes.axhline(100 * value, color=colour, lw=1.4, ls=(0, dashes), label=name)
        for (network, colour), shift in zip(NETWORKS.items(), (-0.05, 0.05), strict=True):
            rows = table[table["network"] == network]
            errors = [
                100 * (rows[f"accuracy_{end}"] - rows["accuracy"]).abs() for end in ("low", "high")
            ]
            axes.errorbar(
                rows["layer"] + shift, 100 * rows["accuracy"], errors, color=colour, marker="o",
                ms=5, lw=1.6, elinewidth=1, label=f"{network} network",
            )  # fmt: skip
        layers = sorted(table["layer"].unique())
        axes.set_xticks(layers, ["input", *layers[1:]])
        axes.set_xlabel("layer whose hidden state is read")
        axes.set_ylabel("residues right (%)")
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def describe(table: pd.DataFrame, chains: int) -> Item:
    """The report item.

    Args:
        table: of :func:`pfamformer.analysis.probe.probe`.
        chains: protein chains with known structure.
    """
    control = table.set_index("network").loc[list(CONTROLS)]
    best = {
        network: table[table["network"] == network].sort_values("accuracy").iloc[-1]
        for network in NETWORKS
    }
    bar = max(control["accuracy"].max(), best["untrained"]["accuracy"])
    holds = best["trained"]["accuracy_low"] > bar
    few = " With so few chains the intervals are rough." if chains < 20 else ""
    words = {
        n: f"{100 * b['accuracy']:.1f} % ({100 * b['accuracy_low']:.1f} to "
        f"{100 * b['accuracy_high']:.1f}) at layer {b['layer']:.0f}"
        for n, b in best.items()
    }
    return Item(
        name="probe",
        section="analyses",
        title="Secondary structure by a linear probe",
        caption="Share of residues whose state (helix, strand, other) a linear classifier reads "
        "from the hidden state of that residue alone, on chains it was not fitted on; intervals "
        "over chains. Residue alone: the same without a network.",
        text=[
            f"Best layers: trained {words['trained']}, untrained {words['untrained']}; residue "
            f"alone {100 * control.loc['residue alone', 'accuracy']:.1f} %, most frequent state "
            f"{100 * control.loc['most frequent state', 'accuracy']:.1f} %, over "
            f"{int(table['residues'].iloc[0]):,} residues of {chains} chains. Trained networks are "
            "said to hold secondary structure in linear form. "
            + (
                "That holds here."
                if holds
                else "Here the trained network is not above the untrained one and the controls by "
                "more than its interval."
            )
            + few
        ],
        published="Cited by the study (section 2.5.3): a linear projection recovers secondary "
        "structure; no number.",
        columns=[
            Column("network", "network", "text"),
            Column("layer", "layer", "number", 0),
            Column("accuracy", "accuracy (share)", "interval", 3),
        ],
        rank=14.5,
        **said(
            bool(holds),
            f"Hidden states hold secondary structure in linear form: "
            f"{100 * best['trained']['accuracy']:.1f} % of residues, {100 * bar:.1f} % by the best "
            "control.",
            f"Hidden states hold no more secondary structure in linear form than the controls: "
            f"{100 * best['trained']['accuracy']:.1f} % of residues, {100 * bar:.1f} % by the best "
            "control.",
        ),
    )
