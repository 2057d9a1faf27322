"""Table 1: loss, exponentiated cross-entropy, perplexity and accuracy at masked residues."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pfamformer.evaluation.intervals import (
    Interval,
    bootstrap_ratio,
    group_weights,
    percentile_interval,
)
from pfamformer.report.items import Column, Item
from pfamformer.report.published import TABLE_1

KEYS = ["run", "network", "sequences"]
MEASURES = {
    "loss": "loss (nats)",
    "ece": "exponentiated cross-entropy",
    "perplexity": "perplexity",
    "masked_perplexity": "perplexity, all masked",
    "accuracy": "accuracy (share)",
}


def make_table(losses: pd.DataFrame, *, draws: int, confidence: float, seed: int) -> pd.DataFrame:
    """One row per run, network and set of sequences, each measure with its interval.

    ``loss`` is the mean over targets and ``ece`` its exponential; ``perplexity`` is the mean over
    sequences of the exponential of a sequence's mean loss, never below ``ece``;
    ``masked_perplexity`` is ``ece`` with every target behind ``<mask>``, as for ESM-2. Intervals
    resample sequences.

    Args:
        losses: one row per sequence: ``run``, ``network``, ``sequences``, ``hidden``, ``targets``,
            ``loss``, ``right``.
    """
    rows = []
    for keys, found in losses.groupby(KEYS, sort=False):
        parts = {hidden: part[part["targets"] > 0] for hidden, part in found.groupby("hidden")}
        trained = parts["as trained"]
        measured = {
            "loss": _ratio(trained, "loss", draws, confidence, seed),
            "perplexity": _perplexity(trained, draws, confidence, seed),
            "accuracy": _ratio(trained, "right", draws, confidence, seed),
        }
        measured["ece"] = _exponential(measured["loss"])
        masked = _ratio(parts["all masked"], "loss", draws, confidence, seed)
        measured["masked_perplexity"] = _exponential(masked)
        row = dict(zip(KEYS, keys, strict=True))
        row |= {"count": len(trained), "targets": int(trained["targets"].sum())}
        for name in MEASURES:
            interval = measured[name]
            row |= {
                name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high
            }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


def _ratio(table: pd.DataFrame, column: str, draws: int, confidence: float, seed: int) -> Interval:
    sums, counts = table[column].to_numpy(dtype=float), table["targets"].to_numpy(dtype=float)
    return bootstrap_ratio(sums, counts, draws, confidence, np.random.default_rng(seed))


def _exponential(interval: Interval) -> Interval:
    return Interval(*(math.exp(v) for v in (interval.value, interval.low, interval.high)))


def _perplexity(table: pd.DataFrame, draws: int, confidence: float, seed: int) -> Interval:
    values = np.exp((table["loss"] / table["targets"]).to_numpy())
    weights = group_weights(len(values), draws, np.random.default_rng(seed))
    return percentile_interval(values.mean(), weights @ values / len(values), confidence)


def describe(table: pd.DataFrame, corpora: dict[str, str]) -> Item:
    """The report item.

    Args:
        table: of :func:`make_table`.
        corpora: what each run read.
    """
    text, reached, missed = [], [], []
    for run, found in table[table["network"] == "trained"].groupby("run", sort=False):
        parts = [
            f"{row.sequences}: loss {row.loss:.2f} ({row.loss_low:.2f}–{row.loss_high:.2f}), "
            f"accuracy {100 * row.accuracy:.1f} %"
            for row in found.itertuples()
        ]
        best = found.iloc[0]
        reaches = best["loss_low"] <= TABLE_1["loss"]
        (reached if reaches else missed).append(f"{run} {best['loss']:.2f}")
        text.append(
            f"{run} ({corpora[run].replace('_', ' ')}): {'; '.join(parts)}. The study's loss is "
            f"{TABLE_1['loss']} on its sub-sample of Pfam; "
            + (
                "this run reaches it."
                if reaches
                else f"this run is {best['loss'] - TABLE_1['loss']:.2f} nats above it."
            )
        )
    return Item(
        name="table_1",
        section="pretraining",
        title="Table 1: masked residues",
        caption="Prediction of masked residues on sequences that pretraining never saw, with "
        "intervals over sequences; targets are drawn anew, so that numbers differ a little from "
        "figure 6. Exponentiated cross-entropy: of the mean loss. Perplexity: mean over sequences "
        "of each one's exponentiated loss; the study does not define its own, which is above its "
        "exponentiated cross-entropy as this one must be. Perplexity, all masked: "
        "every target behind the mask token, comparable with ESM-2's.",
        text=text,
        published="Loss {loss}, exponentiated cross-entropy {ece}, perplexity {perplexity}, "
        "accuracy {accuracy} on a sub-sample of Pfam.".format(**TABLE_1),
        numbers="table_1.tsv",
        columns=[
            Column("run", "run", "text"),
            Column("network", "network", "text"),
            Column("sequences", "sequences from", "text"),
            Column("count", "sequences", "number", 0),
            *(Column(name, label, "interval", 2) for name, label in MEASURES.items()),
        ],
        rank=1,
        findings=_loss_sentence("reach", reached),
        shortfalls=_loss_sentence("do not reach", missed),
    )


def _loss_sentence(verb: str, runs: list[str]) -> list[str]:
    known = f"the study's loss of {TABLE_1['loss']} nats at hidden residues (table 1)"
    return [f"These runs {verb} {known}: {', '.join(runs)}."] if runs else []
