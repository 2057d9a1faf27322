"""Pretraining corpora: which sequences, divided into training and validation, without test data.

No sequence of a corpus may contain a held-out domain: rows of the development and test parts are
left out of the domain corpus, and proteins with such a domain out of the protein corpora. Both are
decided on the sequence itself, so that the same domain under another accession is found too.
What is random (validation, ``fraction``) is decided by a hash of the sequence, so that jobs agree
without talking to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pfamformer.compiled import compiled
from pfamformer.families.held_out import HeldOut
from pfamformer.sequences.alphabet import AMBIGUOUS, INVALID
from pfamformer.sequences.blocks import Block, drawn
from pfamformer.sequences.hashing import hashes_of

# 0: ambiguous; 1: no residue; -1: all others, among them whatever is below the lowest of these.
_KINDS = np.full(256, -1, np.int8)
_KINDS[list(AMBIGUOUS)], _KINDS[INVALID] = 0, 1
_LOWEST = np.uint8(min(AMBIGUOUS))
# Salts of the decisions that are drawn from the hash of a sequence.
_FRACTION, _VALIDATION = 1, 2


@dataclass(frozen=True)
class Limits:
    """What a sequence of a corpus must be like.

    Attributes:
        min_length, max_length: residues.
        max_ambiguous: largest share of residues that are left open (X, B, Z, J), 0…1.
        fraction: share of all sequences that is read, 0…1, chosen by their hash.
    """

    min_length: int = 1
    max_length: int = 1 << 26
    max_ambiguous: float = 1.0
    fraction: float = 1.0


#: Why sequences are left out while a shard is written, in the order in which they are judged.
REASONS = (
    "invalid_residue",
    "too_short",
    "too_long",
    "ambiguous",
    "outside_fraction",
    "holds_held_out_domain",
)


class Selection:
    """A pass over blocks that says what may be pretrained on, and counts the rest by reason."""

    def __init__(self, held_out: HeldOut | None, limits: Limits) -> None:
        self.held_out, self.limits = held_out, limits
        self.counts = dict.fromkeys(("read", *REASONS, "kept"), 0)

    def __call__(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Yield each block, the hashes of its sequences and which are kept, (sequences,), bool."""
        for block in blocks:
            self.counts["read"] += len(block)
            hashes, keep = hashes_of(block), np.ones(len(block), dtype=bool)
            for reason, rows in self._of_residues(block):
                self._leave_out(reason, rows, keep)
            inside = drawn(hashes, self.limits.fraction, _FRACTION)
            self._leave_out("outside_fraction", ~inside, keep)
            if self.held_out is not None:
                holds = self.held_out.contained_in(block, keep)
                self._leave_out("holds_held_out_domain", holds, keep)
            self.counts["kept"] += int(keep.sum())
            yield block, hashes, keep

    def _leave_out(self, reason: str, rows: np.ndarray, keep: np.ndarray) -> None:
        """Clear ``rows`` (sequences,) in ``keep``; those that are kept so far are counted."""
        self.counts[reason] += int((keep & rows).sum())
        keep &= ~rows

    def _of_residues(self, block: Block) -> Iterator[tuple[str, np.ndarray]]:
        lengths, limits = block.lengths, self.limits
        ambiguous, invalid = _unclear(block)
        yield "invalid_residue", invalid > 0
        yield "too_short", lengths < limits.min_length
        yield "too_long", lengths > limits.max_length
        yield "ambiguous", ambiguous > limits.max_ambiguous * lengths


def _unclear(block: Block) -> np.ndarray:
    """Ambiguous residues, and characters that are no residue, (2, sequences), ``int64``."""
    counts = np.zeros((2, len(block)), np.int64)
    _count(block.tokens, block.offsets, _LOWEST, _KINDS, counts)
    return counts


@compiled
def _count(tokens, offsets, lowest, kinds, counts):
    for row in range(len(offsets) - 1):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        # Most sequences have none, which many letters at once can tell.
        has_any = False
        for position in range(begin, end):
            has_any |= tokens[position] >= lowest
        if has_any:
            for position in range(begin, end):
                kind = kinds[tokens[position]]
                if kind >= 0:
                    counts[kind, row] += 1


def is_validation(hashes: np.ndarray, share: float) -> np.ndarray:
    """Which sequences are for validation: by their hashes, so that chunks agree."""
    return drawn(hashes, share, _VALIDATION)


def duplicates(shards: Sequence[np.ndarray], most: int = 1 << 24) -> list[np.ndarray]:
    """Rows whose sequence occurred before, in an earlier shard or earlier in the same one.

    Equal hashes count as equal sequences: among a billion different sequences, 64 bits bring
    0.03 false duplicates. The hashes are compared in partitions by their leading bits, so that
    memory follows ``most`` and not the size of the corpus.

    Args:
        shards: the hashes of each shard (sequences,), ``uint64``, memory-mapped or not.
        most: hashes that are compared at a time, about; 24 bytes of memory each.

    Returns:
        For each shard its superfluous rows, ascending.
    """
    total = sum(map(len, shards))
    bits = max(0, int(np.ceil(np.log2(max(1, total) / most))))
    found: list[list[np.ndarray]] = [[] for _ in shards]
    starts = np.cumsum([0, *map(len, shards)])
    for part in range(1 << bits):
        inside = [_partition(hashes, bits, part) for hashes in shards]
        hashes = np.concatenate([h[i] for h, i in zip(shards, inside, strict=True)] or [[]])
        rows = np.concatenate([i + s for i, s in zip(inside, starts[:-1], strict=True)] or [[]])
        # A stable sort leaves equal hashes in their order of appearance: the first is kept.
        order = np.argsort(hashes, kind="stable")
        again = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]) + 1
        late = np.sort(rows[order[again]])
        cuts = np.searchsorted(late, starts)
        for shard, (start, end) in enumerate(pairwise(cuts.tolist())):
            found[shard].append(late[start:end] - starts[shard])
    return [np.sort(np.concatenate(rows)).astype(np.int64) for rows in found]


def _partition(hashes: np.ndarray, bits: int, part: int) -> np.ndarray:
    if not bits:
        return np.arange(len(hashes))
    return np.flatnonzero((np.asarray(hashes) >> np.uint64(64 - bits)) == part)
