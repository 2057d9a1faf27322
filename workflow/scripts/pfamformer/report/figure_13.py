"""Figure 13: how attention spreads."""

from __future__ import annotations

import pandas as pd

from pfamformer.evaluation.intervals import Interval
from pfamformer.report.items import Column, Item, said


def describe(heads: pd.DataFrame, spread: dict[str, Interval], tokens: float) -> Item:
    """The report item.

    Args:
        heads: of :func:`pfamformer.report.attention.by_head`.
        spread: effective number of attended tokens of the ``untrained`` and the ``trained``
            network, mean over layers, heads and sequences.
        tokens: mean number of tokens of a sequence.
    """
    before, after = spread["untrained"], spread["trained"]
    last = heads[heads["step"] == heads["step"].max()]
    sharpest = last.loc[last["effective"].idxmin()]
    if after.high < before.low:
        verdict = "Here too attention is more focused after training."
    elif after.low > before.high:
        verdict = "Here it is the other way round: attention is less focused after training."
    else:
        verdict = "Here the intervals overlap: training has not focused attention."
    few = after.value < 0.1 * tokens
    return Item(
        name="figure_13",
        section="analyses",
        title="Figure 13: spread of attention",
        caption="Effective number of attended tokens: the exponential of the entropy of a "
        "position's attention, mean over positions and sequences. Every head by layer, and along "
        "training.",
        text=[
            f"Before training a position attends to {before.value:.1f} tokens ({before.low:.1f} to "
            f"{before.high:.1f}), after it to {after.value:.1f} ({after.low:.1f} to "
            f"{after.high:.1f}), of {tokens:.0f} tokens in a sequence. The study found attention "
            f"spread over many tokens at first and focused on very few after training. {verdict}"
            + (
                ""
                if few
                else f" It is not on very few tokens: {100 * after.value / tokens:.0f} % of a "
                "sequence."
            ),
            f"The most focused head is head {sharpest['head']:.0f} of layer "
            f"{sharpest['layer']:.0f} with {sharpest['effective']:.1f} tokens. Trained heads spend "
            f"{100 * last['special'].mean():.1f} % of their attention on the two special tokens, "
            f"which make up {200 / tokens:.1f} % of a sequence.",
        ],
        published="Untrained attention is spread over many tokens, trained attention over very "
        "few (shown without numbers).",
        columns=[
            Column("step", "step", "number", 0),
            Column("layer", "layer", "number", 0),
            Column("head", "head", "number", 0),
            Column("effective", "attended tokens", "number", 1),
            Column("entropy", "entropy (nats)", "number", 2),
            Column("special", "share on special tokens", "number", 3),
        ],
        rank=13,
        **said(
            after.high < before.low,
            f"Training focuses attention (figure 13), as in the study: from {before.value:.0f} to "
            f"{after.value:.0f} of {tokens:.0f} tokens.",
            f"Training does not focus attention (figure 13): {before.value:.0f} of {tokens:.0f} "
            f"tokens before, {after.value:.0f} after.",
        ),
    )
