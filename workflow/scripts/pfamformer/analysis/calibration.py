"""Whether confidence is worth its number (study, figure 12; Guo et al., ICML 2017)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from pfamformer.evaluation.intervals import Interval, group_weights, percentile_interval

#: Equal bins of confidence between 0 and 1.
BINS = 20


def bin_of(confidence_N: np.ndarray) -> np.ndarray:
    """The bin of each confidence; 1.0 belongs to the last."""
    return np.minimum((confidence_N * BINS).astype(int), BINS - 1)


def reliability(confidence_N: np.ndarray, right_N: np.ndarray, level: float) -> pd.DataFrame:
    """One row per bin that holds predictions.

    Columns ``low``, ``high``, ``predictions``, mean ``confidence``, ``accuracy`` and Wilson's
    interval of it at ``level``.
    """
    rows = []
    bins = bin_of(confidence_N)
    for number in np.unique(bins):
        inside = bins == number
        right, count = int(right_N[inside].sum()), int(inside.sum())
        interval = binomtest(right, count).proportion_ci(level, method="wilson")
        mean = float(confidence_N[inside].mean())
        edges = (number / BINS, (number + 1) / BINS)
        rows.append([*edges, count, mean, right / count, interval.low, interval.high])
    columns = ["low", "high", "predictions", "confidence", "accuracy"]
    return pd.DataFrame(rows, columns=[*columns, "accuracy_low", "accuracy_high"])


def expected_calibration_error(
    confidence_N: np.ndarray,
    right_N: np.ndarray,
    groups_N: np.ndarray,
    *,
    draws: int,
    level: float,
    seed: int,
) -> tuple[Interval, Interval]:
    """Expected calibration error, and mean confidence minus accuracy, over resampled groups.

    The error is the mean over predictions of |accuracy − confidence| of their bin; the second is
    positive where the network is overconfident.
    """
    _, group = np.unique(groups_N, return_inverse=True)
    number = group.max() + 1
    gaps = np.zeros((number, BINS))
    np.add.at(gaps, (group, bin_of(confidence_N)), right_N - confidence_N)
    counts = np.bincount(group, minlength=number)
    weights = group_weights(number, draws, np.random.default_rng(seed))
    total = weights @ counts
    drawn = weights @ gaps
    error = percentile_interval(
        np.abs(gaps.sum(0)).sum() / counts.sum(), np.abs(drawn).sum(1) / total, level
    )
    excess = percentile_interval(-gaps.sum() / counts.sum(), -drawn.sum(1) / total, level)
    return error, excess
