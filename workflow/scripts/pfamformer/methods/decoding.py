"""From residue probabilities to domains: forward–backward, then the path that is most right.

A protein is read as a chain of states: outside of any domain, or first, middle and last residue of
a domain of one family. A network gives each residue a probability of each state; the chain adds
what is allowed to follow what. Posteriors are those of the whole chain, and the decoded path is the
legal one with the highest sum of posteriors (maximum expected accuracy; Käll, Krogh and Sonnhammer
2005).

Axes: B proteins, L residues, K candidate families. Cost is O(L·K) for a protein: only families with
some probability somewhere are candidates, so it does not grow with the number of known families.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: Least probability of an impossible-looking state, so that no legal path has probability zero.
FLOOR = 1e-6
#: Shortest domain that the chain can express: a first, a middle and a last residue.
SHORTEST = 3


@dataclass(frozen=True)
class Grammar:
    """Chances of what follows what, from the training annotations.

    Args:
        enter: chance that a domain starts at a residue after one outside.
        leave: chance that a middle residue is followed by the last one, 1 / mean length.
        adjoin: chance that a last residue is followed directly by another domain.
    """

    enter: float
    leave: float
    adjoin: float

    @classmethod
    def from_domains(cls, starts: np.ndarray, ends: np.ndarray, residues: int) -> Grammar:
        """Count in annotations of proteins that together have this many residues.

        Args:
            starts: first residues of domains, counted along all proteins laid end to end.
            ends: last residues, inclusive, in the same order; sorted, without overlaps.
        """
        inside = int((ends - starts + 1).sum())
        adjoined = int((starts[1:] == ends[:-1] + 1).sum())
        outside = max(1, residues - inside)
        count = max(1, len(starts))
        # One pseudo-count each: no transition that may happen has chance zero.
        return cls(
            enter=(count - adjoined + 1) / (outside + 2),
            leave=min(0.5, count / max(count, inside - 2 * count)),
            adjoin=(adjoined + 1) / (count + 2),
        )


class States(NamedTuple):
    """A value per state: outside (B, L); first, middle, last residue of a family (B, L, K)."""

    outside: np.ndarray
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray

    def at(self, position: int) -> States:
        """The values at one residue."""
        return States(*(values[:, position] for values in self))


class Domain(NamedTuple):
    """A decoded domain: 0-based first and last residue, candidate number, mean posterior."""

    start: int
    end: int
    family: int
    score: float


def posteriors(chances: States, lengths: np.ndarray, grammar: Grammar) -> States:
    """Probability of each state at each residue given the whole protein.

    Args:
        chances: the network's probabilities; padding behind ``lengths`` is ignored.
        lengths: residues of each protein, (B,).
    """
    chances = States(*(np.maximum(values, FLOOR).astype(np.float64) for values in chances))
    B, L, K = chances.first.shape
    enter, adjoin = grammar.enter / K, grammar.adjoin / K
    forward = States(np.zeros((B, L)), *(np.zeros((B, L, K)) for _ in range(3)))
    now = chances.at(0)
    before = States(
        now.outside * (1 - grammar.enter), now.first * enter, np.zeros((B, K)), np.zeros((B, K))
    )
    for position in range(L):
        if position:
            now = chances.at(position)
            out = before.outside[:, None]
            ended = before.last.sum(1, keepdims=True)
            before = States(
                now.outside * (out * (1 - grammar.enter) + ended * (1 - grammar.adjoin))[:, 0],
                now.first * (out * enter + ended * adjoin),
                now.middle * (before.first + before.middle * (1 - grammar.leave)),
                now.last * before.middle * grammar.leave,
            )
        before = _normalised(before)
        _store(forward, position, before)
    return _backward(chances, forward, lengths, grammar)


def _backward(chances: States, forward: States, lengths: np.ndarray, grammar: Grammar) -> States:
    B, L, K = chances.first.shape
    enter, adjoin = grammar.enter / K, grammar.adjoin / K
    found = States(np.zeros((B, L)), *(np.zeros((B, L, K)) for _ in range(3)))
    # A protein ends outside or with the last residue of a domain.
    final = States(np.ones(B), np.zeros((B, K)), np.zeros((B, K)), np.ones((B, K)))
    after = final
    for position in range(L - 1, -1, -1):
        if position < L - 1:
            next_ = States(*(c * a for c, a in zip(chances.at(position + 1), after, strict=True)))
            out, first = next_.outside[:, None], next_.first.sum(1, keepdims=True)
            after = _normalised(
                States(
                    (out * (1 - grammar.enter) + first * enter)[:, 0],
                    next_.middle,
                    next_.middle * (1 - grammar.leave) + next_.last * grammar.leave,
                    np.repeat(out * (1 - grammar.adjoin) + first * adjoin, K, axis=1),
                )
            )
        ends_here = (lengths - 1 <= position)[:, None]
        after = States(
            np.where(ends_here[:, 0], final.outside, after.outside),
            *(np.where(ends_here, f, a) for f, a in zip(final[1:], after[1:], strict=True)),
        )
        both = (f * a for f, a in zip(forward.at(position), after, strict=True))
        _store(found, position, _normalised(States(*both)))
    return found


def decode(found: States, lengths: np.ndarray) -> list[list[Domain]]:
    """The legal path with the highest sum of posteriors, as domains of each protein.

    Args:
        found: of :func:`posteriors`.
    """
    B, L, K = found.first.shape
    low = -np.inf
    score = States(
        found.outside[:, 0].copy(), found.first[:, 0].copy(),
        np.full((B, K), low), np.full((B, K), low),
    )  # fmt: skip
    # Where each state came from: outside and first from -1 (outside) or a family's last residue;
    # middle from its first (0) or middle (1).
    came = np.full((L, B), -1)
    stayed = np.zeros((L, B, K), dtype=bool)
    at_end = [score]
    for position in range(1, L):
        here = found.at(position)
        best_last = score.last.argmax(1)
        ended = score.last[np.arange(B), best_last]
        came[position] = np.where(ended > score.outside, best_last, -1)
        free = np.maximum(ended, score.outside)
        stayed[position] = score.middle > score.first
        score = States(
            here.outside + free,
            here.first + free[:, None],
            here.middle + np.maximum(score.first, score.middle),
            here.last + score.middle,
        )
        at_end.append(score)
    return [
        _trace(b, int(lengths[b]), at_end[int(lengths[b]) - 1], came, stayed, found)
        for b in range(B)
    ]


def _trace(
    b: int, length: int, score: States, came: np.ndarray, stayed: np.ndarray, found: States
) -> list[Domain]:
    """Follow the best path back from the last residue of protein ``b``."""
    family = int(score.last[b].argmax())
    position = length - 1
    if score.outside[b] >= score.last[b, family]:
        family = -1
    domains = []
    while position >= 0:
        if family < 0:
            family = int(came[position, b])
            position -= 1
            continue
        end = position
        position -= 1  # the last residue comes from a middle one
        while stayed[position, b, family]:
            position -= 1
        position -= 1  # the first middle residue comes from the first residue
        inside = slice(position, end + 1)
        mass = sum(values[b, inside, family] for values in found[1:])
        domains.append(Domain(position, end, family, float(mass.mean())))
        family = int(came[position, b])
        position -= 1
    return domains[::-1]


def _normalised(states: States) -> States:
    total = states.outside + sum(values.sum(1) for values in states[1:])
    total = np.where(total > 0, total, 1.0)
    return States(states.outside / total, *(values / total[:, None] for values in states[1:]))


def _store(into: States, position: int, values: States) -> None:
    for target, value in zip(into, values, strict=True):
        target[:, position] = value
