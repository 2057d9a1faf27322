"""Precision of the best-scored pairs of residues, as contact prediction is judged (CASP, TAPE)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.intervals import Interval, bootstrap_ratio

#: Distances along the chain, first and last; TAPE judges the first (Rao et al. 2019).
RANGES = {
    "medium and long range": (12, None),
    "medium range": (12, 23),
    "long range": (24, None),
}
#: Of a protein of L residues so many pairs are judged: L over this.
SHARE = 5


def metric_of(words: str) -> str:
    """The metric's name for a range."""
    return f"precision at L/{SHARE}, {words}, %"


def best_pairs(score_LL: np.ndarray, seen: np.ndarray) -> pd.DataFrame:
    """The best-scored pairs of residues that were seen, L of each range.

    Args:
        score_LL: (L, L), symmetric.
        seen: which residues have a position, (L,).

    Returns:
        ``first, second`` (residues from 1, first < second), ``score``; sorted by range and score.
    """
    kept = []
    for near, far in (RANGES[words] for words in ("medium range", "long range")):
        first, second = np.nonzero(np.triu(np.outer(seen, seen), near))
        inside = second - first <= (far or len(seen))
        first, second = first[inside], second[inside]
        score = score_LL[first, second]
        order = np.argsort(-score, kind="stable")[: len(seen)]
        columns = {"first": first[order] + 1, "second": second[order] + 1, "score": score[order]}
        kept.append(pd.DataFrame(columns))
    return pd.concat(kept, ignore_index=True)


def precisions(
    rows: pd.DataFrame, pairs: pd.DataFrame, contacts: pd.DataFrame, words: str
) -> np.ndarray:
    """Share of contacts among the L/5 best-scored pairs of each protein in a range.

    Args:
        rows: of the ``task`` table.
        pairs: ``id, first, second, score``, residues from 1, seen ones only.
        contacts: the ``contacts`` table.

    Returns:
        (rows,); NaN where a protein has no pair in the range.
    """
    inside = pairs[_in_range(pairs, words)]
    touching = pd.MultiIndex.from_frame(contacts[["id", "first", "second"]])
    asked = pd.MultiIndex.from_frame(inside[["id", "first", "second"]])
    inside = inside.assign(right=asked.isin(touching))
    # Of pairs with the same score the first along the chain counts.
    inside = inside.sort_values(["score", "first", "second"], ascending=[False, True, True])
    groups = {name: group["right"].to_numpy() for name, group in inside.groupby("id", sort=False)}
    found = np.full(len(rows), np.nan)
    for i, (name, sequence) in enumerate(zip(rows["id"], rows["sequence"], strict=True)):
        if name in groups:
            found[i] = groups[name][: judged_pairs(len(sequence))].mean()
    return found


def judged_pairs(length: int) -> int:
    """How many pairs of a protein of this length are judged: L/5, at least one."""
    return max(1, length // SHARE)


def by_chance(rows: pd.DataFrame, contacts: pd.DataFrame, words: str) -> float:
    """Contacts among all pairs of residues that were seen in the range, mean over proteins, %."""
    near, far = RANGES[words]
    inside = contacts[_in_range(contacts, words)].groupby("id").size()
    shares = []
    for name, label in zip(rows["id"], rows["label"], strict=True):
        place = np.flatnonzero(np.array(list(label)) == "+")
        apart = place[None, :] - place[:, None]
        pairs = int(((apart >= near) & (apart <= (far or np.inf))).sum())
        if pairs:
            shares.append(inside.get(name, 0) / pairs)
    return 100 * float(np.mean(shares)) if shares else float("nan")


def mean_precision(found: np.ndarray, settings: EvaluationSettings, seed: int) -> Interval:
    """Mean over proteins, per cent; resampled are proteins."""
    found = found[np.isfinite(found)]
    value = bootstrap_ratio(
        found, np.ones_like(found), settings.bootstrap, settings.confidence,
        np.random.default_rng(seed),
    )  # fmt: skip
    return Interval(100 * value.value, 100 * value.low, 100 * value.high)


def _in_range(pairs: pd.DataFrame, words: str) -> pd.Series:
    near, far = RANGES[words]
    return (pairs["second"] - pairs["first"]).between(near, np.inf if far is None else far)
