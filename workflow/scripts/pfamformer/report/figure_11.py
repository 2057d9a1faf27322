"""Figure 11: divergence of the predictions from the training frequencies."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.distributions import size_word
from pfamformer.report import distributions
from pfamformer.report.figure_10 import COLUMNS
from pfamformer.report.items import Item, said

#: Certainty of tryptophan, the rarest residue, diverges by about 4.4 nats.
LIMITS = (0.0, 4.6)


def uniform_divergence(frequency_20: np.ndarray) -> float:
    """D(uniform ‖ frequencies), nats."""
    return float(np.mean(-np.log(20) - np.log(frequency_20)))


def draw(posteriors: pd.DataFrame, frequency_20: np.ndarray) -> Figure:
    """The four panels."""
    marks = {"uniform distribution": uniform_divergence(frequency_20)}
    label = "divergence from training frequencies (nats)"
    return distributions.draw(posteriors, "divergence", label, LIMITS, marks)


def describe(table: pd.DataFrame, frequency_20: np.ndarray) -> Item:
    """The report item, from :func:`distributions.numbers`."""
    row = table.set_index(["network", "residues"])
    masked, every = row.loc[("trained", "masked")], row.loc[("trained", "all, unmasked")]
    before = row.loc[("untrained", "masked")]
    nearer = masked["median"] < before["median"]
    high = [m for m in every["modes"].split() if float(m) > 1]
    negligible = size_word(masked["cliffs_delta"]) == "negligible"
    certain = -np.log(frequency_20)
    text = [
        f"At masked residues the median divergence from the training frequencies is "
        f"{masked['median']:.2f} nats after training and {before['median']:.2f} before; the "
        f"uniform distribution has {uniform_divergence(frequency_20):.2f}. The study saw "
        "predictions at masks come closer to the frequencies; "
        + ("that holds here. " if nearer else "here they do not. ")
        + f"In domains minus outside: {masked['inside_minus_outside']:+.3f} nats "
        f"({masked['inside_minus_outside_low']:+.3f} to "
        f"{masked['inside_minus_outside_high']:+.3f}; "
        f"Cliff's delta {masked['cliffs_delta']:+.2f}): "
        + (
            "almost none, as in the study."
            if negligible
            else "a difference that the study did not see."
        ),
        "The study could not explain a small peak near 3.2 at unmasked residues. A network that is "
        "certain of residue a diverges by −ln f(a): with the frequencies here "
        f"{certain.min():.1f} to {certain.max():.1f} nats, and "
        f"{np.median(certain):.1f} for the median residue. Copying what it sees is what such peaks "
        "are. "
        + (
            f"Unmasked residues have modes above 1 nat here at {', '.join(high)}."
            if high
            else "This network does not copy with certainty: there is no mode above 1 nat."
        ),
    ]
    return Item(
        name="figure_11",
        section="analyses",
        title="Figure 11: divergence from the residue frequencies",
        caption="Kullback-Leibler divergence of each prediction from the residue frequencies of "
        "the training sequences; the line marks the uniform distribution.",
        text=text,
        published="Predictions at masks approach the training frequencies; almost no difference "
        "between domains and the rest; a small peak near 3.2 at unmasked residues.",
        columns=COLUMNS,
        rank=11,
        **said(
            bool(nearer),
            "Predictions of hidden residues come closer to the residue frequencies by training "
            f"(figure 11): divergence {before['median']:.2f} before, {masked['median']:.2f} nats "
            "after, as in the study.",
            "Predictions of hidden residues come no closer to the residue frequencies by training "
            "(figure 11), unlike in the study.",
        ),
    )
