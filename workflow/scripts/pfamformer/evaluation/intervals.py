"""Estimates with bootstrap intervals over groups of observations that resemble each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval."""

    value: float
    low: float
    high: float


def group_weights(groups: int, draws: int, stream: np.random.Generator) -> np.ndarray:
    """How often each group occurs in each resampling with replacement, shape (draws, groups).

    A multinomial draw is such a resampling, without its table of indices.
    """
    return stream.multinomial(groups, np.full(groups, 1 / groups), size=draws)


def percentile_interval(value: float, drawn: np.ndarray, confidence: float) -> Interval:
    """An estimate with the middle share ``confidence`` of its resampled values."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def resampled_ratios(
    sums: np.ndarray, counts: np.ndarray, draws: int, stream: np.random.Generator
) -> np.ndarray:
    """Ratios of sums over resampled groups, shape (draws,).

    Args:
        sums, counts: numerator and denominator of each group, shape (groups,).
    """
    weights = group_weights(len(sums), draws, stream)
    return (weights @ sums) / (weights @ counts)


def bootstrap_ratio(
    sums: np.ndarray, counts: np.ndarray, draws: int, confidence: float, stream: np.random.Generator
) -> Interval:
    """The ratio of sums with its percentile interval over resampled groups.

    Args:
        sums, counts: numerator and denominator of each group, shape (groups,).
        draws: resamplings.
        confidence: coverage of the interval, 0…1.
    """
    if not len(sums):
        return Interval(float("nan"), float("nan"), float("nan"))
    ratios = resampled_ratios(sums, counts, draws, stream)
    return percentile_interval(sums.sum() / counts.sum(), ratios, confidence)
