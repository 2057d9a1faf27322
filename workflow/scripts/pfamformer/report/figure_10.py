"""Figure 10: entropy of what the network predicts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.distributions import size_word
from pfamformer.report import distributions
from pfamformer.report.items import Column, Item, said

#: The largest entropy over 20 residues, nats.
UNIFORM = math.log(20)
LIMITS = (0.0, 3.1)
COLUMNS = [
    Column("network", "network", "text"),
    Column("residues", "residues", "text"),
    Column("count", "predictions", "number", 0),
    Column("median", "median (nats)", "number", 2),
    Column("modes", "modes (nats)", "text"),
    Column("inside_minus_outside", "domains − outside (nats)", "interval", 3),
    Column("cliffs_delta", "Cliff's delta", "number", 2),
]


def draw(posteriors: pd.DataFrame, frequency_20: np.ndarray) -> Figure:
    """The four panels."""
    prior = float(-(frequency_20 * np.log(frequency_20)).sum())
    marks = {"uniform distribution": UNIFORM, "training frequencies": prior}
    return distributions.draw(posteriors, "entropy", "entropy (nats)", LIMITS, marks)


def describe(table: pd.DataFrame) -> Item:
    """The report item, from :func:`distributions.numbers`."""
    row = table.set_index(["network", "residues"])
    masked, every = row.loc[("trained", "masked")], row.loc[("trained", "all, unmasked")]
    before = row.loc[("untrained", "masked")]
    modes = {name: r["modes"].split() for name, r in (("masked", masked), ("all", every))}
    one, two = len(modes["masked"]) == 1, len(modes["all"]) == 2
    lower = every["median"] < masked["median"]
    text = [
        f"After training the median entropy is {masked['median']:.2f} nats at masked residues "
        f"(modes: {', '.join(modes['masked'])}) and {every['median']:.2f} where nothing is masked "
        f"(modes: {', '.join(modes['all'])}); before training {before['median']:.2f}. A uniform "
        f"prediction has {UNIFORM:.2f}. "
        + (
            "The study's picture holds: one mode where residues are masked, two where they are not."
            if one and two
            else "The study saw one mode at masked residues and two at unmasked ones; here: "
            f"{len(modes['masked'])} and {len(modes['all'])}."
        )
        + (
            " The network is surer of residues that it can see, as in the study."
            if lower
            else " Unlike in the study, the network is not surer of residues that it can see."
        ),
        _domains(masked),
    ]
    return Item(
        name="figure_10",
        section="analyses",
        title="Figure 10: entropy of the predictions",
        caption="Entropy of the predicted distribution over the 20 residues, in windows of "
        "proteins that were kept out of pretraining. Lines mark the uniform distribution and the "
        "residue frequencies of the training sequences.",
        text=text,
        published="One mode near 2.8 at masked residues, two at all residues (near 0 and near "
        "1.9); the untrained network is sure of itself with and without masks.",
        columns=COLUMNS,
        rank=10,
        **said(
            bool(lower),
            f"The network is surer of residues that it sees than of hidden ones (figure 10): "
            f"median entropy {every['median']:.2f} against {masked['median']:.2f} nats, as in the "
            "study.",
            "The network is not surer of residues that it sees than of hidden ones (figure 10), "
            "unlike in the study.",
        ),
    )


def _domains(row: pd.Series) -> str:
    gap, low, high = (row[f"inside_minus_outside{end}"] for end in ("", "_low", "_high"))
    verdict = {
        True: "The study hoped for a higher entropy outside domains, and here it is higher",
        False: "The study hoped for a higher entropy outside domains; this run does not show it",
    }[high < 0]
    return (
        f"{verdict}: at masked residues the mean entropy in held-out domains is {abs(gap):.3f} "
        f"nats {'higher' if gap > 0 else 'lower'} than outside ({low:+.3f} to {high:+.3f}, a "
        f"{size_word(row['cliffs_delta'])} effect: Cliff's delta {row['cliffs_delta']:+.2f}). "
        "Outside means outside the families of this project, other domains may lie there."
    )
