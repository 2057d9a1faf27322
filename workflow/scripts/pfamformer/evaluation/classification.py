"""One evaluator for every classifier: it reads ``predictions`` and knows nothing of methods.

Test domains of one component resemble each other, so intervals are bootstrapped over components and
not over domains; intervals of the per-family accuracy over families.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from pfamformer.errors import InputError
from pfamformer.evaluation.intervals import (
    Interval,
    bootstrap_ratio,
    percentile_interval,
    resampled_ratios,
)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one method on one test part."""

    domains: int
    components: int
    families: int
    per_instance: Interval
    per_family: Interval


def correct(
    predictions: pd.DataFrame, split: pd.DataFrame, source: str = "predictions"
) -> pd.DataFrame:
    """Whether each test domain was predicted right.

    Returns:
        Columns ``id``, ``family``, ``component``, ``right``, one row per test domain of ``split``,
        in its order.

    Raises:
        InputError: the predictions are not exactly those of the test part.
    """
    test = split[split["part"] == "test"]
    if len(predictions) != len(test) or set(predictions["id"]) != set(test["id"]):
        raise InputError(
            source,
            f"{len(predictions)} predictions are not those of the {len(test)} test domains",
            remedy="Delete it and rerun: it belongs to another split",
        )
    table = test.merge(predictions[["id", "predicted"]], on="id", validate="one_to_one")
    table["right"] = (table["predicted"] == table["family"]).to_numpy()
    return table[["id", "family", "component", "right"]]


def correct_clan(
    predictions: pd.DataFrame, split: pd.DataFrame, clan_of: pd.Series, source: str = "predictions"
) -> pd.DataFrame:
    """The same for the clan: a family without one is its own clan.

    Args:
        clan_of: clan by family, empty where a family is in none.
    """
    table = correct(predictions, split, source)
    said = table["id"].map(predictions.set_index("id")["predicted"])
    clans = clan_of.where(clan_of != "", clan_of.index.to_series())
    table["right"] = (said.map(clans).fillna(said) == table["family"].map(clans)).to_numpy()
    return table


def share(table: pd.DataFrame, *, draws: int, confidence: float, seed: int) -> Interval:
    """Mean of ``right`` with an interval over components."""
    return bootstrap_ratio(*_by_component(table), draws, confidence, np.random.default_rng(seed))


def accuracy(table: pd.DataFrame, *, draws: int, confidence: float, seed: int) -> Accuracy:
    """Accuracy per instance and per family of :func:`correct`'s table, with intervals."""
    sums, counts = _by_component(table)
    by_family = table.groupby("family")["right"].mean().to_numpy()
    stream = np.random.default_rng(seed)
    return Accuracy(
        domains=len(table),
        components=len(sums),
        families=len(by_family),
        per_instance=bootstrap_ratio(sums, counts, draws, confidence, stream),
        per_family=bootstrap_ratio(by_family, np.ones(len(by_family)), draws, confidence, stream),
    )


def difference(
    one: pd.DataFrame, other: pd.DataFrame, *, draws: int, confidence: float, seed: int
) -> Interval:
    """Accuracy of ``one`` minus that of ``other`` on the same domains, paired, over components.

    ``right`` may be a share: the mean over repetitions of a run.
    """
    paired = one.merge(other, on=["id", "family", "component"], validate="one_to_one")
    gain = paired["right_x"].astype(float) - paired["right_y"].astype(float)
    sums = gain.groupby(paired["component"]).agg(["sum", "count"])
    stream = np.random.default_rng(seed)
    return bootstrap_ratio(
        sums["sum"].to_numpy(), sums["count"].to_numpy(), draws, confidence, stream
    )


def unpaired_difference(
    one: pd.DataFrame, other: pd.DataFrame, *, draws: int, confidence: float, seed: int
) -> Interval:
    """Accuracy of ``one`` minus that of ``other`` on different domains, each over components."""
    stream = np.random.default_rng(seed)
    ratios = [resampled_ratios(*_by_component(table), draws, stream) for table in (one, other)]
    value = float(one["right"].mean() - other["right"].mean())
    return percentile_interval(value, ratios[0] - ratios[1], confidence)


def mcnemar(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Exact two-sided p of McNemar's test that two methods err equally often."""
    paired = one.merge(other, on="id", validate="one_to_one")
    only_one = int((paired["right_x"] & ~paired["right_y"]).sum())
    only_other = int((~paired["right_x"] & paired["right_y"]).sum())
    if only_one + only_other == 0:
        return 1.0
    return float(binomtest(only_one, only_one + only_other).pvalue)


def _by_component(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    sums = table.groupby("component")["right"].agg(["sum", "count"])
    return sums["sum"].to_numpy(), sums["count"].to_numpy()
