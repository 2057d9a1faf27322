"""Candidate domains as segments: which of them a protein holds, by forward–backward over segments.

A semi-Markov model (as in gene finders): a path through a protein is a set of segments that do not
collide; its weight is the product of their odds, each against the same residues being outside of
any domain. Sums over all paths give the posterior of every segment, and so of every state (first,
middle, last residue of a family, outside) at every residue, which
:func:`pfamformer.methods.decoding.decode` reads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pfamformer.methods.decoding import SHORTEST, States

#: Two segments may share so much of the shorter one: ends of local alignments are uncertain.
SHARED = 0.25
# A domain found in a sequence may be found this often at most: titin has some 300.
MOST = 400


class Found(NamedTuple):
    """A chain of windows on a sequence: 0-based ends, bits, first and last window."""

    start: int
    end: int
    score: float
    first: int
    last: int


def separate(
    score: np.ndarray, start: np.ndarray, first: np.ndarray, last: np.ndarray, least: float
) -> list[Found]:
    """The best chain of one class on one sequence, the best one beside it, and so on.

    Args:
        score, start, first, last: of the best chain that ends at each position, shape (L,).
        least: bits; weaker ones are left out.
    """
    score = score.copy()
    position = np.arange(len(score))
    found: list[Found] = []
    while len(found) < MOST:
        end = int(score.argmax())
        if score[end] < least:
            break
        begin = int(start[end])
        found.append(Found(begin, end, float(score[end]), int(first[end]), int(last[end])))
        # Chains that share a position with it are other readings of the same residues.
        score[(position >= begin) & (start <= end)] = -np.inf
    return found


def segment_posteriors(starts: np.ndarray, ends: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """Probability of each segment of one protein, given all of them; shape (n,).

    Args:
        starts, ends: 0-based, inclusive.
        log_odds: of each segment against no domain there, nats.
    """
    n = len(starts)
    if n == 0:
        return np.empty(0)
    # Segments collide where their shortened copies share a residue.
    cut = ((ends - starts + 1) * (SHARED / 2)).astype(int)
    low, high = starts + cut, ends - cut
    ahead = _sums(low, high, log_odds)
    behind = _sums(-high, -low, log_odds)
    return np.exp(np.minimum(ahead.before + log_odds + behind.before - ahead.total, 0.0))


class _Sums(NamedTuple):
    before: np.ndarray
    total: float


def _sums(low: np.ndarray, high: np.ndarray, log_odds: np.ndarray) -> _Sums:
    """Logarithm of the weight of all paths left of each segment, and of all paths."""
    order = np.argsort(high, kind="stable")
    closed = high[order].tolist()
    # all_paths[k]: those that use only the k segments which end first.
    all_paths, before = [0.0], np.zeros(len(low))
    for number in order:
        before[number] = all_paths[bisect_left(closed, low[number], 0, len(all_paths) - 1)]
        all_paths.append(np.logaddexp(all_paths[-1], before[number] + log_odds[number]))
    return _Sums(before, all_paths[-1])


def states_of(
    segments: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    lengths: np.ndarray,
    candidates: int,
) -> States:
    """Posterior of every state at every residue, from those of segments.

    Args:
        segments: of every protein: starts, ends, candidate numbers, posteriors.
        lengths: residues of every protein, (B,).
        candidates: families that compete in a protein at most.
    """
    B, L = len(segments), int(lengths.max())
    inside = np.zeros((3, B, L, candidates))
    for b, (starts, ends, families, chances) in enumerate(segments):
        for start, end, family, chance in zip(starts, ends, families, chances, strict=True):
            if end - start + 1 < SHORTEST:
                continue
            inside[0, b, start, family] += chance
            inside[1, b, start + 1 : end, family] += chance
            inside[2, b, end, family] += chance
    outside = np.maximum(0.0, 1 - inside.sum((0, 3)))
    return States(outside, *inside)
