"""Token-budget batches in an order that depends on the seed alone.

Sequences of similar length share a batch, so that padding stays at a few per cent; the number of
sequences in a batch follows from the budget, so that memory does not depend on their lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pfamformer.sequences.alphabet import CLS, EOS, PAD

# Sequences are sorted by length within pools of this many batches: long enough for little padding,
# short enough to keep the order random.
POOL = 64

#: Residue tokens (length,) to tokens that stand for several residues.
Merge = Callable[[np.ndarray], np.ndarray]


class Sequences(Protocol):
    """Anything that holds residue tokens: token shards, or a list of arrays."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray: ...

    @property
    def lengths(self) -> np.ndarray:
        """Residues of each sequence, shape (sequences,)."""
        ...


class InMemory:
    """Sequences of tokens held in memory."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._arrays = list(arrays)
        self.lengths = np.array([len(a) for a in self._arrays], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._arrays[index]


@dataclass(frozen=True)
class Batch:
    """Some rows of a data set as padded tokens, each ``<cls>`` residues ``<eos>``.

    Attributes:
        tokens: the true tokens (B, L), ``int64``.
        rows: row numbers in the data set, (B,).
        inputs: what the network reads (B, L); the true tokens unless an objective corrupts them.
        targets: true where a token is to be predicted (B, L), for objectives that need it.
        extra: other tensors of an objective; their first axis is the batch's.
        total: targets of the whole batch, also in a share of it.
        parts: the batch as each of several objectives prepared it.
        merged: how many more residues than tokens there are, where tokens stand for several.
    """

    tokens: Tensor
    rows: np.ndarray
    inputs: Tensor
    targets: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    total: int = 0
    parts: tuple[Batch, ...] = ()
    merged: int = 0

    @property
    def residues(self) -> int:
        """Residues of the batch: what rates are counted in."""
        return int((self.tokens != PAD).sum()) - 2 * len(self.rows) + self.merged

    def share(self, rank: int, size: int) -> Batch:
        """Every ``size``-th row from ``rank`` on: what one process of several computes."""
        if size == 1:
            return self
        chosen = slice(rank, None, size)
        return replace(
            self,
            tokens=self.tokens[chosen],
            rows=self.rows[chosen],
            inputs=self.inputs[chosen],
            targets=None if self.targets is None else self.targets[chosen],
            extra={name: tensor[chosen] for name, tensor in self.extra.items()},
            parts=tuple(part.share(rank, size) for part in self.parts),
        )


def cut_into_batches(order: np.ndarray, lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Divide ``order`` into runs whose padded size (rows × longest, specials included) fits.

    Args:
        order: row numbers.
        lengths: tokens of each row, specials included, indexed by row number.
        budget: tokens of a batch, padding included; a longer row gets a batch of its own.
    """
    batches, start, longest = [], 0, 0
    for position, length in enumerate(lengths[order]):
        longest = max(longest, int(length))
        if position > start and longest * (position + 1 - start) > budget:
            batches.append(order[start:position])
            start, longest = position, int(length)
    if len(order) > start:
        batches.append(order[start:])
    return batches


class BatchPlan:
    """Which rows form which batch, epoch after epoch, from the seed alone.

    Args:
        lengths: residues of each row.
        budget: tokens of a batch, padding included.
        max_length: residues; longer rows are cut to a window that moves from epoch to epoch.
        seed: of the order and of the windows.
    """

    def __init__(self, lengths: np.ndarray, budget: int, max_length: int, seed: int) -> None:
        self.max_length, self.seed, self.budget = max_length, seed, budget
        self._tokens = np.minimum(lengths, max_length) + 2
        self._lengths = lengths

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch: arrays of row numbers."""
        stream = np.random.default_rng([self.seed, epoch])
        order = stream.permutation(len(self._tokens))
        pool = max(1, POOL * self.budget // max(1, int(self._tokens.mean())))
        batches: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            part = part[np.argsort(self._tokens[part], kind="stable")]
            batches += cut_into_batches(part, self._tokens, self.budget)
        return [batches[i] for i in stream.permutation(len(batches))]

    def steps(
        self, first: int, last: int, accumulate: int = 1
    ) -> Iterator[tuple[int, list[tuple[int, np.ndarray]]]]:
        """Yield (step, [(epoch, rows) of each of its batches]) for the steps first…last−1.

        The same wherever training starts again.
        """
        step, epoch = 0, 0
        gathered: list[tuple[int, np.ndarray]] = []
        while step < last:
            for rows in self.epoch(epoch):
                gathered.append((epoch, rows))
                if len(gathered) == accumulate:
                    if first <= step < last:
                        yield step, gathered
                    step, gathered = step + 1, []
            epoch += 1

    def window(self, row: int, epoch: int) -> slice:
        """The residues of a row that are read in this epoch."""
        spare = int(self._lengths[row]) - self.max_length
        if spare <= 0:
            return slice(None)
        start = int(np.random.default_rng([self.seed, epoch, row]).integers(spare + 1))
        return slice(start, start + self.max_length)


def collate(arrays: Sequence[np.ndarray], rows: np.ndarray, merge: Merge | None = None) -> Batch:
    """Pad residue tokens, merged ones where wanted, into one batch with ``<cls>`` and ``<eos>``."""
    residues = sum(map(len, arrays))
    arrays = arrays if merge is None else [merge(array) for array in arrays]
    longest = max(len(a) for a in arrays) + 2
    tokens = np.full((len(arrays), longest), PAD, dtype=np.int64)
    tokens[:, 0] = CLS
    for i, array in enumerate(arrays):
        tokens[i, 1 : len(array) + 1] = array
        tokens[i, len(array) + 1] = EOS
    padded = torch.from_numpy(tokens)
    return Batch(padded, rows, padded, merged=residues - sum(map(len, arrays)))


def read_in_order(
    sequences: Sequences, budget: int, max_length: int, merge: Merge | None = None
) -> Iterator[Batch]:
    """All sequences once, sorted by length (for evaluation); longer ones are cut at the end."""
    tokens = np.minimum(sequences.lengths, max_length) + 2
    order = np.argsort(tokens, kind="stable")
    for rows in cut_into_batches(order, tokens, budget):
        yield collate([sequences[i][:max_length] for i in rows], rows, merge)
