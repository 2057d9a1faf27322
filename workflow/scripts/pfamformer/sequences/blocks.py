"""Sequences by the thousand: joined tokens and their offsets, so that NumPy does the work.

UniParc has hundreds of millions of sequences; a Python call for each residue, or even several for
each sequence, would take longer than decompressing them. A block is a few megabytes, whatever the
size of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from pfamformer.sequences.alphabet import TRANSLATION

# Residues in a block, about: enough to make the cost of a NumPy call small, and still in the cache.
BLOCK = 1 << 21
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Block:
    """Consecutive sequences.

    Attributes:
        tokens: residue tokens of all sequences, joined, (residues,), ``uint8``, read-only;
            ``alphabet.INVALID`` for what is none.
        offsets: where each sequence starts, and the end of the last, (sequences + 1,), ``int64``.
    """

    tokens: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Residues of each sequence, (sequences,)."""
        return np.diff(self.offsets)

    def words(self, kind: str) -> np.ndarray:
        """The tokens from every position on as overlapping numbers of this type, without a copy.

        A block that is shorter than such a number ends in zeros.
        """
        size = np.dtype(kind).itemsize
        tokens = self.tokens
        if len(tokens) <= size:
            tokens = np.frombuffer(tokens.tobytes() + bytes(size), np.uint8)
        return np.ndarray(len(tokens) - size + 1, kind, tokens, strides=(1,))

    def runs(self, wanted: np.ndarray) -> Iterator[np.ndarray]:
        """The tokens of the sequences where ``wanted`` (sequences,) is true, neighbours together.

        Usually few sequences are left out, so that there are few runs; nothing is copied.
        """
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        bounds = self.offsets[edges].tolist()
        for start, end in zip(bounds[::2], bounds[1::2], strict=True):
            yield self.tokens[start:end]


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Where sequences of these lengths start when they are joined, and the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def mixed(hashes: np.ndarray, salt: int) -> np.ndarray:
    """Other, independent 64-bit numbers from hashes (the finaliser of SplitMix64).

    One hash then decides several things of a sequence that have nothing to do with each other.
    """
    x = hashes + np.uint64(salt * 0x9E3779B97F4A7C15 & _MASK)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def drawn(hashes: np.ndarray, share: float, salt: int) -> np.ndarray:
    """Which sequences belong to a random ``share`` (0…1) of all, decided by their hashes alone."""
    if share >= 1:
        return np.ones(len(hashes), dtype=bool)
    return mixed(hashes, salt) < np.uint64(share * 2**64)


def blocks_of(sequences: Iterable[str], size: int = 8192) -> Iterator[Block]:
    """Blocks of ``size`` sequences that are in memory already."""
    waiting = iter(sequences)
    while some := list(islice(waiting, size)):
        text = "".join(some).encode("ascii", "replace")
        lengths = np.fromiter(map(len, some), np.int64, len(some))
        tokens = np.frombuffer(text.translate(TRANSLATION), np.uint8)
        yield Block(tokens, offsets_of(lengths))
