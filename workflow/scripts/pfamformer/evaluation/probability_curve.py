"""Scores as probabilities: an isotonic curve, fitted on held-out calls (Zadrozny and Elkan 2002).

A curve never falls, so that a term keeps at least the probability of its descendants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

#: Calls behind a curve at least; with fewer, scores stay what they are.
LEAST = 50


@dataclass(frozen=True)
class Curve:
    """Scores, rising, and the probability at each; between them it is linear, outside constant."""

    scores: list[float]
    probabilities: list[float]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each score."""
        return np.interp(scores, self.scores, self.probabilities)


def fit_curve(scores: np.ndarray, right: np.ndarray) -> Curve | None:
    """The curve of calls that are right or wrong; None where there are too few.

    Two pseudo-counts, one right and one wrong, keep the ends off 0 and 1.
    """
    if len(scores) < LEAST:
        return None
    known, place = np.unique(scores, return_inverse=True)
    count = np.bincount(place).astype(float)
    share = np.bincount(place, weights=np.asarray(right, dtype=float)) / count
    share = isotonic_regression(share, weights=count).x
    # Levels of the fitted steps, each with the calls behind it, and a pseudo-count on either side.
    _, step = np.unique(share, return_inverse=True)
    behind = np.bincount(step, weights=count)[step]
    share = np.maximum.accumulate((share * behind + 1) / (behind + 2))
    ends = np.flatnonzero(np.r_[True, np.diff(step) > 0] | np.r_[np.diff(step) > 0, True])
    return Curve(known[ends].tolist(), share[ends].tolist())
