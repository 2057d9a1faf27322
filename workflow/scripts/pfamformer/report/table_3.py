"""Table 3: family accuracy of every method on the clustered split, beside the published numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.classification import (
    accuracy,
    correct,
    correct_clan,
    difference,
    mcnemar,
    share,
)
from pfamformer.evaluation.intervals import Interval
from pfamformer.methods import REFERENCE
from pfamformer.report.items import Column, Item, p_value
from pfamformer.report.published import SAME_AS, TABLE_3, TABLE_3_FAMILIES

COLUMNS = [
    "method", "run", "kind", "start", "seeds", "domains", "families",
    "accuracy", "accuracy_low", "accuracy_high", "accuracy_sd",
    "family_accuracy", "family_accuracy_low", "family_accuracy_high",
    "clan_accuracy", "clan_accuracy_low", "clan_accuracy_high",
    "no_answer", "p_against_phmm", "published",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entry:
    """Predictions of one run, and how the report calls it.

    Attributes:
        start: ``pretrained``, ``untrained`` or ``none``.
        kind: ``network``, ``baseline``, ``neighbour`` (in embedding space) or ``combination``.
        group: name that repetitions with other seeds share; a run alone is its own group.
    """

    predictions: pd.DataFrame
    start: str
    source: str
    kind: str = "network"
    group: str = ""

    @property
    def method(self) -> str:
        """How tables call it."""
        return str(self.predictions["method"].iloc[0])

    @property
    def name(self) -> str:
        """Its group, else its run."""
        return self.group or str(self.predictions["run"].iloc[0])


def grouped(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Entries by group, in order of appearance."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.name, []).append(entry)
    return groups


def judge(group: Sequence[Entry], split: pd.DataFrame) -> pd.DataFrame:
    """:func:`correct`'s table; with several seeds ``right`` is the share of them that is right."""
    tables = [correct(e.predictions, split, e.source) for e in group]
    mean = sum(table["right"].astype(float) for table in tables) / len(tables)
    return tables[0] if len(tables) == 1 else tables[0].assign(right=mean)


def make_table(
    entries: Sequence[Entry],
    split: pd.DataFrame,
    clan_of: pd.Series,
    settings: EvaluationSettings,
    seed: int,
) -> pd.DataFrame:
    """One row per method, then one per published method that was not run; per cent.

    Columns: see ``docs/tables.md``. ``p_against_phmm`` is McNemar's exact p; of a method with
    several seeds, that of the first.
    """
    reference = next((e for e in entries if e.method == REFERENCE), None)
    compared = reference and correct(reference.predictions, split, reference.source)
    rows = [
        _row(group, split, clan_of, compared, settings, seed) for group in grouped(entries).values()
    ]
    rows.sort(key=lambda row: -row["accuracy"])
    present = {SAME_AS.get(row["method"], row["method"]) for row in rows}
    rows += [
        {"method": method, "published": value}
        for method, value in TABLE_3.items()
        if method not in present
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    group: Sequence[Entry],
    split: pd.DataFrame,
    clan_of: pd.Series,
    reference: pd.DataFrame | None,
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, Any]:
    first = group[0]
    options = {"draws": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
    each = [correct(e.predictions, split, e.source) for e in group]
    found = accuracy(judge(group, split), **options)
    clan = share(correct_clan(first.predictions, split, clan_of, first.source), **options)
    tested = reference is not None and first.method != REFERENCE
    values = [100 * table["right"].mean() for table in each]
    return {
        "method": first.method,
        "run": first.name,
        "kind": first.kind,
        "start": first.start,
        "seeds": len(group),
        "domains": found.domains,
        "families": found.families,
        **_per_cent("accuracy", found.per_instance),
        "accuracy_sd": statistics.stdev(values) if len(values) > 1 else math.nan,
        **_per_cent("family_accuracy", found.per_family),
        **_per_cent("clan_accuracy", clan),
        "no_answer": int((first.predictions["predicted"] == "").sum()),
        "p_against_phmm": mcnemar(each[0], reference) if tested else math.nan,
        "published": TABLE_3.get(SAME_AS.get(first.method, first.method)),
    }


def _per_cent(name: str, interval: Interval) -> dict[str, float]:
    return {
        name: 100 * interval.value,
        f"{name}_low": 100 * interval.low,
        f"{name}_high": 100 * interval.high,
    }


def make_verdicts(
    entries: Sequence[Entry], split: pd.DataFrame, settings: EvaluationSettings, seed: int
) -> list[dict[str, Any]]:
    """The comparisons that matter, each with difference, interval, exact p and a sentence.

    The best network against the profile HMM, the best search by sequence and ProtCNN; the best
    combination against the profile HMM and the best network; the best search against the profile
    HMM. p is corrected for the number of comparisons (Holm 1979). Of repetitions the first counts.
    """
    first = {name: group[0] for name, group in grouped(entries).items()}
    tables = {name: correct(e.predictions, split, e.source) for name, e in first.items()}
    pairs = _pairs(first, {name: table["right"].mean() for name, table in tables.items()})
    verdicts = []
    found = [mcnemar(tables[one], tables[other]) for one, other in pairs]
    for (one, other), p in zip(pairs, holm(found), strict=True):
        gain = difference(
            tables[one], tables[other],
            draws=settings.bootstrap, confidence=settings.confidence, seed=seed,
        )  # fmt: skip
        said = {"one": one, "other": other, "p": p, **_per_cent("difference", gain)}
        sentence = _sentence(first[one], first[other], said, 1 - settings.confidence)
        verdicts.append(said | {"sentence": sentence})
    return verdicts


def _pairs(entries: Mapping[str, Entry], value: Mapping[str, float]) -> list[tuple[str, str]]:
    """Names of the methods to compare."""

    def best(kind: str) -> str | None:
        names = [n for n, e in entries.items() if e.kind == kind and e.method != REFERENCE]
        return max(names, key=lambda n: value[n], default=None)

    named = {e.method: n for n, e in entries.items()}
    phmm, network, search = named.get(REFERENCE), best("network"), best("baseline")
    wanted = [
        (network, phmm), (network, search), (network, named.get("ProtCNN")),
        (best("combination"), phmm), (best("combination"), network), (search, phmm),
    ]  # fmt: skip
    return [(one, other) for one, other in wanted if one and other and one != other]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, step-down (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def _sentence(one: Entry, other: Entry, said: Mapping[str, Any], level: float) -> str:
    numbers = (
        f"{said['difference']:+.1f} percentage points, {said['difference_low']:+.1f} to "
        f"{said['difference_high']:+.1f}; p {'' if said['p'] < 1e-4 else '= '}{p_value(said['p'])}"
    )
    if said["p"] >= level:
        return f"No significant difference between {_called(one)} and {_called(other)} ({numbers})."
    direction = "better" if said["difference"] > 0 else "worse"
    called = _called(one)
    return (
        f"{called[:1].upper()}{called[1:]} is significantly {direction} than {_called(other)} "
        f"({numbers})."
    )


def _called(entry: Entry) -> str:
    """``method (run)``, or the method alone where that says it."""
    plain = entry.kind == "baseline" or entry.name == entry.method
    return f"the {entry.method}" if plain else f"{entry.method} ({entry.name})"


def make_comparisons(
    entries: Sequence[Entry], split: pd.DataFrame, settings: EvaluationSettings, seed: int
) -> list[dict]:
    """Gain of pretraining for each head that ran both ways: percentage points with interval.

    Of several runs with the same head and start, such as those of ablations, the first counts.
    """
    networks = [group for group in grouped(entries).values() if group[0].kind == "network"]
    by_key = {(g[0].method, g[0].start): judge(g, split) for g in reversed(networks)}
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


def make_split_effect(
    splits: Mapping[str, pd.DataFrame],
    entries: Mapping[str, Sequence[Entry]],
    settings: EvaluationSettings,
    seed: int,
) -> list[dict[str, Any]]:
    """Accuracy on both splits of every method that ran on both; per cent, with intervals.

    Args:
        splits: split table by name of the split.
        entries: methods by name of the split; those of the random split may be fewer.
    """
    rows = []
    for name, found in entries.items():
        for entry in found:
            value = share(
                correct(entry.predictions, splits[name], entry.source),
                draws=settings.bootstrap, confidence=settings.confidence, seed=seed,
            )  # fmt: skip
            rows.append(
                {
                    "split": name,
                    "method": entry.method,
                    "domains": len(entry.predictions),
                    **_per_cent("accuracy", value),
                    "without_hit": int((entry.predictions["predicted"] == "").sum()),
                }
            )
    both = {row["method"] for row in rows if row["split"] == "random"}
    return [row for row in rows if row["method"] in both]


def describe(found: Mapping[str, Any], confidence: float) -> Item:
    """The report item.

    Args:
        found: ``verdicts``, ``pretraining`` and ``split`` of ``table_3_comparisons.json``.
    """
    own = next(e for e in found["split"] if e["method"] == REFERENCE and e["split"] == "clustered")
    without = (
        f" The profile HMM found nothing for {own['without_hit']:,} of them even without filters; "
        "these count as wrong."
        if own["without_hit"]
        else ""
    )
    return Item(
        name="table_3",
        section="families",
        title="Table 3: accuracy of family prediction",
        caption=f"Share of the {own['domains']:,} test domains that each method gives to their "
        f"right family, with {100 * confidence:.0f} % intervals over similarity components (per "
        "domain) and families (per family); per clan, a family of the right clan counts, and one "
        "without a clan is a clan alone. An untrained start is random weights. ± is the "
        "standard deviation over seeds. p against the "
        f"HMM is McNemar's exact test on the same domains, not corrected.{without} A method "
        "without a value was not run in this configuration.",
        text=[
            *(verdict["sentence"] for verdict in found["verdicts"]),
            "p-values of these sentences are McNemar's, exact, corrected for the number of "
            "comparisons (Holm).",
            *(_describe_gain(gain) for gain in found["pretraining"]),
        ],
        published=f"Clustered split of Pfam-seed, {TABLE_3_FAMILIES:,} families to choose from.",
        numbers="table_3.tsv",
        columns=[
            Column("method", "method", "text"),
            Column("run", "run", "text"),
            Column("start", "start", "text"),
            Column("accuracy", "per domain, %", "interval"),
            Column("family_accuracy", "per family, %", "interval"),
            Column("clan_accuracy", "per clan, %"),
            Column("p_against_phmm", "p against the HMM", "p"),
            Column("published", "published, %"),
            Column("accuracy", "0 to 100 %", "track", mark="published"),
        ],
        rank=0,
    )


def _describe_gain(comparison: dict[str, Any]) -> str:
    gain, low, high = (comparison[k] for k in ("gain", "low", "high"))
    if low > 0:
        verdict = "pretraining helps by more than the interval"
    elif high < 0:
        verdict = "pretraining hurts here, by more than the interval"
    else:
        verdict = "the interval holds zero: this run does not show that pretraining helps"
    return (
        f"{comparison['method']}: pretrained minus random start {gain:+.1f} percentage points "
        f"({low:+.1f} to {high:+.1f}): {verdict}."
    )
