"""How well domains are placed on proteins: residues, whole domains, boundaries, false calls.

Truth and calls are tables with ``protein``, ``start``, ``end`` (1-based, inclusive) and a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Matches:
    """Calls paired with true domains of the same protein and label.

    Attributes:
        calls: the calls, best score first, with ``iou`` (0 where unmatched), ``start_error`` and
            ``end_error`` (residues, call minus truth; NaN where unmatched).
        domains: number of true domains.
    """

    calls: pd.DataFrame
    domains: int

    def scores(self, least: float = -np.inf) -> dict[str, float]:
        """Precision, recall and F1 (0…1) of the calls that score at least this."""
        kept = self.calls[self.calls["score"] >= least]
        right = int((kept["iou"] > 0).sum())
        precision = right / len(kept) if len(kept) else float("nan")
        recall = right / self.domains if self.domains else float("nan")
        # The harmonic mean, from counts: defined also where nothing was called.
        total = len(kept) + self.domains
        return {"precision": precision, "recall": recall, "f1": 2 * right / total if total else 0.0}


def match(calls: pd.DataFrame, truth: pd.DataFrame, min_iou: float) -> Matches:
    """Give each call, best score first, the free true domain of its label it overlaps most.

    Args:
        calls: columns of the ``calls`` table.
        truth: columns ``protein``, ``start``, ``end``, ``family``.
        min_iou: least intersection over union, residues, for a match.
    """
    free: dict[tuple[str, str], list[list]] = {}
    for row in truth.itertuples():
        free.setdefault((row.protein, row.family), []).append([row.start, row.end, True])
    ordered = calls.sort_values(
        ["score", "protein", "start", "label"], ascending=[False, True, True, True]
    ).reset_index(drop=True)
    ious, starts, ends = [], [], []
    for call in ordered.itertuples():
        best, chosen = 0.0, None
        for domain in free.get((call.protein, call.label), []):
            if domain[2] and (found := iou(call.start, call.end, domain[0], domain[1])) > best:
                best, chosen = found, domain
        if chosen is None or best < min_iou:
            ious.append(0.0), starts.append(np.nan), ends.append(np.nan)
            continue
        chosen[2] = False
        ious.append(best)
        starts.append(call.start - chosen[0])
        ends.append(call.end - chosen[1])
    return Matches(ordered.assign(iou=ious, start_error=starts, end_error=ends), len(truth))


def set_aside(
    calls: pd.DataFrame, truth: pd.DataFrame, regions: pd.DataFrame, min_iou: float
) -> pd.DataFrame:
    """The calls without those that found a known domain that the truth does not hold.

    Seeds hold a part of a family's domains; the others on the same proteins are no errors to find,
    and no successes either, because nothing guards them against homologues in training.

    Args:
        truth: columns ``protein``, ``start``, ``end``, ``family``.
        regions: the same columns, all known domains.
        min_iou: overlap from which a call has found a domain.
    """
    held = _by_label(truth)
    listed = _by_label(regions[regions["protein"].isin(set(calls["protein"]))])
    besides = {
        key: [p for p in places if not _found(*p, held.get(key, []), min_iou)]
        for key, places in listed.items()
    }
    known = [
        _found(c.start, c.end, besides.get((c.protein, c.label), []), min_iou)
        and not _found(c.start, c.end, held.get((c.protein, c.label), []), min_iou)
        for c in calls.itertuples()
    ]
    return calls[~np.array(known, dtype=bool)]


def _by_label(table: pd.DataFrame) -> dict[tuple[str, str], list[tuple[int, int]]]:
    return {
        key: list(zip(its["start"], its["end"], strict=True))
        for key, its in table.groupby(["protein", "family"])
    }


def _found(start: int, end: int, places: list[tuple[int, int]], min_iou: float) -> bool:
    return any(iou(start, end, a, b) >= min_iou for a, b in places)


def iou(start_a: int, end_a: int, start_b: int, end_b: int) -> float:
    """Intersection over union of two inclusive intervals, in residues."""
    shared = min(end_a, end_b) - max(start_a, start_b) + 1
    if shared <= 0:
        return 0.0
    return shared / (end_a - start_a + end_b - start_b + 2 - shared)


def boundary_error(matches: Matches) -> dict[str, float]:
    """Mean and median distance of matched boundaries from the true ones, residues."""
    found = matches.calls[["start_error", "end_error"]].abs().to_numpy().ravel()
    found = found[~np.isnan(found)]
    if not len(found):
        return {"mean": float("nan"), "median": float("nan")}
    return {"mean": float(found.mean()), "median": float(np.median(found))}


def residue_rates(
    calls: pd.DataFrame, truth: pd.DataFrame, lengths: Mapping[str, int]
) -> dict[str, float]:
    """True-positive rate, false-positive rate and accuracy of residues (0…1).

    Args:
        lengths: residues of every protein that was searched, called or not.

    Returns:
        ``tpr``: residues of true domains that carry the right label. ``fpr``: residues outside true
        domains that carry any label. ``accuracy``: residues rightly said to be inside or outside
        (the study's table 2). ``majority``: the accuracy of the commoner answer for all.
    """
    names = sorted(set(truth["family"]) | set(calls["label"]))
    codes = {name: i + 1 for i, name in enumerate(names)}
    true = _painted(truth, "family", lengths, codes)
    said = _painted(calls.sort_values("score", kind="stable"), "label", lengths, codes)
    inside = outside = right = wrong = agree = 0
    for protein, code in true.items():
        answer, within = said[protein], code > 0
        inside += int(within.sum())
        outside += int((~within).sum())
        right += int((answer[within] == code[within]).sum())
        wrong += int((answer[~within] > 0).sum())
        agree += int(((answer > 0) == within).sum())
    total = max(1, inside + outside)
    return {
        "tpr": right / max(1, inside),
        "fpr": wrong / max(1, outside),
        "accuracy": agree / total,
        "majority": max(inside, outside) / total,
    }


def threshold_at(false_scores: np.ndarray, true_scores: np.ndarray, rate: float) -> float:
    """The lowest score at which false calls are at most ``rate`` of all calls at or above it.

    Args:
        false_scores: of calls known to be false, such as those on shuffled proteins.
        true_scores: of calls on as many real proteins; their share of false ones is estimated by
            the number of calls on the shuffled ones (target–decoy estimate).

    Returns:
        Infinity where no score reaches the rate.
    """
    candidates = np.unique(np.concatenate([true_scores, false_scores]))[::-1]
    false = np.sort(false_scores)
    true = np.sort(true_scores)
    above_false = len(false) - np.searchsorted(false, candidates)
    above_true = len(true) - np.searchsorted(true, candidates)
    # From the best score downwards the estimate may rise and fall: take the lowest that holds.
    good = above_false <= rate * np.maximum(above_true, 1)
    return float(candidates[good].min()) if good.any() else float("inf")


def _painted(
    table: pd.DataFrame, label: str, lengths: Mapping[str, int], codes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """The label of every residue as a number, 0 outside; the later row wins an overlap."""
    painted = {protein: np.zeros(length, dtype=np.int32) for protein, length in lengths.items()}
    names = table[label].to_numpy()
    for protein, start, end, name in zip(
        table["protein"], table["start"], table["end"], names, strict=True
    ):
        painted[protein][start - 1 : end] = codes[name]
    return painted
