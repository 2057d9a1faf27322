"""TAPE's metrics with intervals: residues right, precision of contacts, rank correlation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.contacts import RANGES, by_chance, mean_precision, metric_of, precisions
from pfamformer.evaluation.intervals import Interval, bootstrap_ratio, percentile_interval

COLUMNS = ["task", "run", "part", "rows", "metric", "value", "value_low", "value_high", "baseline"]
ACCURACY, SPEARMAN = "residues right, %", "Spearman's ρ"


@dataclass(frozen=True)
class Touching:
    """True contacts, and the pairs of residues that a network scores best."""

    contacts: pd.DataFrame
    pairs: pd.DataFrame


def evaluate(
    truth: pd.DataFrame, answers: pd.DataFrame, settings: EvaluationSettings, seed: int,
    touching: Touching | None = None,
) -> list[list]:  # fmt: skip
    """One row for each held-out part, of contacts also for each range: ``part`` … ``baseline``.

    The baseline is the commonest state of the training residues, or the share of pairs in contact;
    values have none (0 by chance). Columns are those of :data:`COLUMNS`.

    Raises:
        InputError: answers that are not those of the held-out rows.
    """
    held_out = truth[truth["part"] != "train"]
    if list(held_out["id"]) != list(answers["id"]):
        raise InputError("answers", "not those of the held-out rows", remedy="Delete it and rerun")
    if touching is not None and "+" in set("".join(held_out["label"])):
        return _contact_rows(held_out, touching, settings, seed)
    both = held_out.assign(said=answers["label"].to_numpy(), number=answers["value"].to_numpy())
    if truth["value"].notna().all():
        judge: Callable = spearman
        metric, baseline = SPEARMAN, lambda rows: np.nan
    else:
        judge, metric = states_right, ACCURACY
        train = "".join(truth.loc[truth["part"] == "train", "label"])
        commonest = max(sorted(set(train) - {"-"}), key=train.count)
        baseline = lambda rows: _share_of(rows, commonest)  # noqa: E731
    found = []
    for part, rows in both.groupby("part", sort=True):
        value = judge(rows, settings, seed)
        found.append([part, len(rows), metric, value.value, value.low, value.high, baseline(rows)])
    return found


def _contact_rows(
    held_out: pd.DataFrame, touching: Touching, settings: EvaluationSettings, seed: int
) -> list[list]:
    found = []
    for part, rows in held_out.groupby("part", sort=True):
        # Once: the training part has millions.
        contacts = touching.contacts[touching.contacts["id"].isin(rows["id"])]
        for words in RANGES:
            each = precisions(rows, touching.pairs, contacts, words)
            value = mean_precision(each, settings, seed)
            judged = int(np.isfinite(each).sum())
            interval = [value.value, value.low, value.high]
            chance = by_chance(rows, contacts, words)
            found.append([part, judged, metric_of(words), *interval, chance])
    return found


def states_right(rows: pd.DataFrame, settings: EvaluationSettings, seed: int) -> Interval:
    """Residues with a known state that get it, per cent; resampled are proteins."""
    right, known = np.zeros(len(rows)), np.zeros(len(rows))
    for i, (label, said) in enumerate(zip(rows["label"], rows["said"], strict=True)):
        pairs = [(a, b) for a, b in zip(label, said, strict=True) if a != "-"]
        right[i], known[i] = sum(a == b for a, b in pairs), len(pairs)
    found = bootstrap_ratio(
        right, known, settings.bootstrap, settings.confidence, np.random.default_rng(seed)
    )
    return Interval(100 * found.value, 100 * found.low, 100 * found.high)


def _share_of(rows: pd.DataFrame, state: str) -> float:
    labels = "".join(rows["label"]).replace("-", "")
    return 100 * labels.count(state) / max(1, len(labels))


def spearman(rows: pd.DataFrame, settings: EvaluationSettings, seed: int) -> Interval:
    """Rank correlation of true and predicted values; resampled are rows."""
    pairs = rows[["value", "number"]].to_numpy()
    stream = np.random.default_rng(seed)
    drawn = [
        _correlation(pairs[stream.integers(len(pairs), size=len(pairs))])
        for _ in range(settings.bootstrap)
    ]
    return percentile_interval(_correlation(pairs), np.array(drawn), settings.confidence)


def _correlation(pairs: np.ndarray) -> float:
    ranks = rankdata(pairs, axis=0)
    centred = ranks - ranks.mean(0)
    spread = np.sqrt((centred**2).sum(0).prod())
    return float(centred.prod(1).sum() / spread) if spread else float("nan")
