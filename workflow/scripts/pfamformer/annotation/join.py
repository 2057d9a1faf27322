"""Calls of several methods side by side, protein by protein, in the order of the query.

Every method writes a ``calls`` table whose proteins come in the order of the ``query`` table; the
extra columns of ``hits`` are kept where a method has them. Files are read in pieces: memory does
not grow with the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pfamformer.errors import InputError

#: Rows read of a file at a time.
_PIECE = 10_000


@dataclass
class Protein:
    """A protein of the query with all calls on it.

    ``calls`` are rows of the ``calls`` (or ``hits``) table. ``agreement`` holds one word per call:
    ``agree`` (another method calls the same family there), ``differ`` (another family), ``only``
    (nothing there), or nothing where a single method ran.
    """

    name: str
    length: int
    description: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[str] = field(default_factory=list)

    @property
    def families(self) -> list[str]:
        """Families without their version, in the order of the protein, neighbours once."""
        labels = [plain(call["label"]) for call in sorted(self.calls, key=lambda c: c["start"])]
        return labels[:1] + [b for a, b in pairwise(labels) if a != b]

    @property
    def interest(self) -> tuple[int, int, int, int]:
        """What sorts the page: differences, calls of one method, families, domains."""
        return (
            self.agreement.count("differ"),
            self.agreement.count("only"),
            len(set(self.families)),
            len(self.calls),
        )


def plain(family: str) -> str:
    """A Pfam accession without its version."""
    return family.split(".")[0]


def join(query: str | Path, calls: Sequence[str | Path]) -> Iterator[Protein]:
    """Yield the proteins of a ``query`` table with the calls of all files.

    Raises:
        InputError: a file holds calls on proteins that are not the query's, or in another order.
    """
    streams = [_Stream(path) for path in calls]
    for row in _rows(query):
        found = [call for stream in streams for call in stream.of(row["protein"])]
        found.sort(key=lambda call: (call["start"], call["end"], call["method"]))
        yield Protein(row["protein"], row["length"], row["description"], found,
                      judge(found, several=len(streams) > 1))  # fmt: skip
    for stream in streams:
        stream.must_be_read()


def judge(calls: Sequence[dict[str, Any]], several: bool) -> list[str]:
    """One word per call, see :class:`Protein`."""
    if not several:
        return [""] * len(calls)
    words = []
    for call in calls:
        others = [c for c in calls if c["method"] != call["method"] and _meet(c, call)]
        same = any(plain(c["label"]) == plain(call["label"]) for c in others)
        words.append("agree" if same else "differ" if others else "only")
    return words


def _meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two calls share more than half of the shorter."""
    shared = min(one["end"], other["end"]) - max(one["start"], other["start"]) + 1
    return shared > 0.5 * min(c["end"] - c["start"] + 1 for c in (one, other))


class _Stream:
    """The rows of a calls file, taken protein by protein."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._rows = _rows(path)
        self._next = next(self._rows, None)

    def of(self, protein: str) -> Iterator[dict[str, Any]]:
        while self._next is not None and self._next["protein"] == protein:
            yield self._next
            self._next = next(self._rows, None)

    def must_be_read(self) -> None:
        if self._next is not None:
            raise InputError(
                self.path,
                "its proteins are not those of the query, or in another order",
                record=f"protein {self._next['protein']}",
                remedy="Delete it and rerun: it belongs to another query",
            )


def _rows(path: str | Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        batches: Iterable = file.iter_batches(batch_size=_PIECE)
        for batch in batches:
            yield from batch.to_pylist()
