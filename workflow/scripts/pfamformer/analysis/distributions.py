"""Comparing distributions: effect sizes, differences with intervals, and where the modes lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import find_peaks
from scipy.stats import gaussian_kde, rankdata

from pfamformer.evaluation.intervals import Interval, group_weights, percentile_interval

#: A peak counts as a mode when it rises this share of the highest one above its surroundings.
PROMINENCE = 0.1
#: Values behind a density; more change no mode and cost time.
DENSITY_SAMPLE = 5000


def cliffs_delta(a: np.ndarray, b: np.ndarray) -> float:
    """P(a > b) − P(a < b): −1…1, 0 where neither tends to be larger (Cliff 1993)."""
    ranks = rankdata(np.concatenate([a, b]))
    u = ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2
    return float(2 * u / (len(a) * len(b)) - 1)


def size_word(delta: float) -> str:
    """Cliff's delta in a word, by the usual thresholds (Romano et al. 2006)."""
    words = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
    return next((word for limit, word in words if abs(delta) < limit), "large")


def mean_difference(
    values: np.ndarray,
    first: np.ndarray,
    groups: np.ndarray,
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Mean of ``values[first]`` minus the mean of the others, resampling whole groups.

    Args:
        first: true for the values of the first kind, (N,).
        groups: what each value belongs to, such as its protein, (N,).
    """
    _, group = np.unique(groups, return_inverse=True)
    number = group.max() + 1
    sums = [
        np.bincount(group, weights=weight, minlength=number)
        for weight in (values * first, first.astype(float), values * ~first, (~first).astype(float))
    ]
    weights = group_weights(number, draws, np.random.default_rng(seed))
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = [weights @ s for s in sums]
        differences = drawn[0] / drawn[1] - drawn[2] / drawn[3]
        value = sums[0].sum() / sums[1].sum() - sums[2].sum() / sums[3].sum()
    return percentile_interval(value, differences, confidence)


def modes(values: np.ndarray, limits: Sequence[float], seed: int) -> list[float]:
    """Where the density of ``values`` between ``limits`` has peaks, ascending."""
    if len(values) > DENSITY_SAMPLE:
        values = np.random.default_rng(seed).choice(values, DENSITY_SAMPLE, replace=False)
    if np.ptp(values) < 1e-6:
        return [float(np.mean(values))]
    grid = np.linspace(*limits, 400)
    density = gaussian_kde(values)(grid)
    # Padding lets a peak at a limit, such as certainty's entropy of zero, be one.
    padded = np.concatenate([[0], density, [0]])
    peaks, _ = find_peaks(padded, prominence=PROMINENCE * density.max())
    return [float(grid[peak - 1]) for peak in peaks]
