"""Table 3: family accuracy of every method on the clustered split, beside the published numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.classification import accuracy, correct, difference, mcnemar
from pfamformer.methods import REFERENCE
from pfamformer.report.published import TABLE_3

COLUMNS = [
    "method", "run", "start", "domains", "families", "accuracy", "accuracy_low", "accuracy_high",
    "family_accuracy", "family_accuracy_low", "family_accuracy_high", "p_against_phmm", "published",
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Predictions of one run, and how the report calls it."""

    predictions: pd.DataFrame
    start: str
    source: str


def make_table(
    entries: Sequence[Entry], split: pd.DataFrame, settings: EvaluationSettings, seed: int
) -> pd.DataFrame:
    """One row per run, then one per published method that was not run; accuracies in per cent.

    Columns: see ``docs/tables.md``. ``p_against_phmm`` is McNemar's exact p.
    """
    judged = [(e, correct(e.predictions, split, e.source)) for e in entries]
    reference = next((t for e, t in judged if _method(e) == REFERENCE), None)
    rows = []
    for entry, table in judged:
        found = accuracy(table, draws=settings.bootstrap, confidence=settings.confidence, seed=seed)
        method = _method(entry)
        tested = reference is not None and method != REFERENCE
        per_cent = [
            100 * value
            for interval in (found.per_instance, found.per_family)
            for value in (interval.value, interval.low, interval.high)
        ]
        rows.append(
            [method, entry.predictions["run"].iloc[0], entry.start, found.domains, found.families,
             *per_cent, mcnemar(table, reference) if tested else math.nan, TABLE_3.get(method)]
        )  # fmt: skip
    present = {row[0] for row in rows}
    missing = [m for m in TABLE_3 if m not in present]
    rows.sort(key=lambda row: -row[5])
    for method in missing:
        rows.append([method, "", "", pd.NA, pd.NA, *[math.nan] * 7, TABLE_3[method]])
    return pd.DataFrame(rows, columns=COLUMNS)


def make_comparisons(
    entries: Sequence[Entry], split: pd.DataFrame, settings: EvaluationSettings, seed: int
) -> list[dict]:
    """Gain of pretraining for each head that ran both ways: percentage points with interval."""
    by_key = {(_method(e), e.start): correct(e.predictions, split, e.source) for e in entries}
    comparisons = []
    for method in sorted({method for method, _ in by_key}):
        trained, fresh = by_key.get((method, "pretrained")), by_key.get((method, "untrained"))
        if trained is None or fresh is None:
            continue
        gain = difference(
            trained, fresh, draws=settings.bootstrap, confidence=settings.confidence, seed=seed
        )
        comparisons.append(
            {
                "method": method,
                "gain": 100 * gain.value,
                "low": 100 * gain.low,
                "high": 100 * gain.high,
            }
        )
    return comparisons


def _method(entry: Entry) -> str:
    return str(entry.predictions["method"].iloc[0])


def make_split_effect(
    entries: Sequence[Entry],
    split: pd.DataFrame,
    random: Entry,
    random_split: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Accuracy of the profile HMM on both splits, per cent, with intervals."""
    clustered = next(e for e in entries if _method(e) == REFERENCE)
    effect = {}
    for name, entry, parts in (("clustered", clustered, split), ("random", random, random_split)):
        found = accuracy(
            correct(entry.predictions, parts, entry.source),
            draws=settings.bootstrap,
            confidence=settings.confidence,
            seed=seed,
        )
        effect[name] = {
            "domains": found.domains,
            "accuracy": 100 * found.per_instance.value,
            "low": 100 * found.per_instance.low,
            "high": 100 * found.per_instance.high,
            "without_hit": int((entry.predictions["predicted"] == "").sum()),
        }
    return effect
