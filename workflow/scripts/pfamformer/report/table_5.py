"""Table 5: asymmetry of attention."""

from __future__ import annotations

import math

import pandas as pd

from pfamformer.evaluation.intervals import Interval
from pfamformer.report.attention import ends_first, mean_over_sequences
from pfamformer.report.items import Column, Item, said
from pfamformer.report.published import TABLE_5


def make_table(
    statistics: pd.DataFrame, *, draws: int, confidence: float, seed: int
) -> pd.DataFrame:
    """The two networks, then every step, layer and head, the trained network's first.

    Columns: ``network``, ``step``, ``layer``, ``head`` (0: all of them), ``norm`` and its standard
    deviation over sequences, ``asymmetry`` with its interval over sequences, ``published``.
    """
    rows = []
    steps = {"untrained": statistics["step"].min(), "trained": statistics["step"].max()}
    for network, step in steps.items():
        norm = _per_sequence(statistics, step)
        found: Interval = mean_over_sequences(
            statistics, step, "asymmetry", draws=draws, confidence=confidence, seed=seed
        )
        rows.append(
            [network, step, 0, 0, norm.mean(), norm.std(), found.value, found.low, found.high,
             TABLE_5[network][0], TABLE_5[network][1]]
        )  # fmt: skip
    single = statistics.groupby(["step", "layer", "head"])
    means = single[["norm", "asymmetry"]].mean().assign(norm_sd=single["norm"].std())
    names = {step: network for network, step in steps.items()}
    for row in ends_first(means.reset_index()).itertuples():
        rows.append(
            [names.get(row.step, "in training"), row.step, row.layer, row.head, row.norm,
             row.norm_sd, row.asymmetry, *[math.nan] * 4]
        )  # fmt: skip
    columns = ["network", "step", "layer", "head", "norm", "norm_sd", "asymmetry", "asymmetry_low"]
    return pd.DataFrame(rows, columns=[*columns, "asymmetry_high", "published", "published_sd"])


def _per_sequence(statistics: pd.DataFrame, step: int) -> pd.Series:
    return statistics[statistics["step"] == step].groupby("sequence")["norm"].mean()


def describe(table: pd.DataFrame) -> Item:
    """The report item, from :func:`make_table`."""
    total = table[table["layer"] == 0].set_index("network")
    before, after = total.loc["untrained"], total.loc["trained"]
    if after["asymmetry_low"] > before["asymmetry_high"]:
        verdict = "That holds here."
    elif after["asymmetry_high"] < before["asymmetry_low"]:
        verdict = "Here it is the other way round."
    else:
        verdict = "Here the intervals overlap: training has not made attention less symmetric."
    return Item(
        name="table_5",
        section="analyses",
        title="Table 5: asymmetry of attention",
        caption="Norm: the study's measure, the Frobenius norm of the antisymmetric part "
        "(M − Mᵀ)/2 of an attention matrix; it depends on the length of a sequence. Asymmetry: "
        "that norm relative to M's, which does not: 0 for a symmetric matrix, 0.71 where no two "
        "positions attend to each other. Layer and head 0 stand for all of them.",
        text=[
            f"Asymmetry {before['asymmetry']:.3f} ({before['asymmetry_low']:.3f} to "
            f"{before['asymmetry_high']:.3f}) before training and {after['asymmetry']:.3f} "
            f"({after['asymmetry_low']:.3f} to {after['asymmetry_high']:.3f}) after it; norm of "
            f"the antisymmetric part {before['norm']:.3f} (standard deviation over sequences "
            f"{before['norm_sd']:.3f}) and {after['norm']:.3f} ({after['norm_sd']:.3f}). The study "
            f"found attention less symmetric after training. {verdict}"
        ],
        published="Norm of the antisymmetric part: trained {} (sd {:g}), untrained {} (sd {:g}); "
        "the lengths of its sequences are not given.".format(
            *TABLE_5["trained"], *TABLE_5["untrained"]
        ),
        columns=[
            Column("network", "network", "text"),
            Column("step", "step", "number", 0),
            Column("layer", "layer", "number", 0),
            Column("head", "head", "number", 0),
            Column("norm", "norm", "number", 3),
            Column("norm_sd", "sd", "number", 3),
            Column("asymmetry", "asymmetry", "number", 3),
            Column("published", "published norm", "number", 3),
        ],
        rank=13.5,
        **said(
            bool(after["asymmetry_low"] > before["asymmetry_high"]),
            f"Training makes attention less symmetric (table 5), as in the study: asymmetry "
            f"{before['asymmetry']:.2f} before, {after['asymmetry']:.2f} after.",
            "Training does not make attention less symmetric (table 5): asymmetry "
            f"{before['asymmetry']:.2f} before, {after['asymmetry']:.2f} after.",
        ),
    )
