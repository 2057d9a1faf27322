"""Calls of several methods side by side, protein by protein, in the order of the query.

Every method writes a ``calls`` table whose proteins come in the order of the ``query`` table; the
extra columns of ``hits`` are kept where a method has them. Files are read in pieces: memory does
not grow with the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pfamformer.errors import InputError

#: Rows read of a file at a time.
_PIECE = 10_000
#: How tables call the terms that come with a family.
FAMILY_TERMS = "family to term"


@dataclass(frozen=True)
class FamilyTerms:
    """GO terms of families.

    Args:
        terms: of each family, each with the probability that it holds for a protein with a domain
            of that family.
    """

    terms: Mapping[str, Sequence[tuple[str, float]]]

    def of(self, calls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The terms of the families that profile HMMs call, each once."""
        found = {
            term: chance
            for call in calls
            if call.get("evalue") is not None
            for term, chance in self.terms.get(call["label"], ())
        }
        return [{"label": t, "score": c, "method": FAMILY_TERMS} for t, c in found.items()]


@dataclass
class Protein:
    """A protein of the query with all calls on it.

    ``calls`` are rows of the ``calls`` (or ``hits``) table. ``agreement`` holds one word per call:
    ``agree`` (another method calls the same family there), ``differ`` (another family), ``only``
    (nothing there), or nothing where a single method ran. ``terms`` are calls of GO terms, whose
    scores are probabilities.
    """

    name: str
    length: int
    description: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[str] = field(default_factory=list)
    terms: list[dict[str, Any]] = field(default_factory=list)

    @property
    def families(self) -> list[str]:
        """Families without their version, in the order of the protein, neighbours once."""
        labels = [plain(call["label"]) for call in sorted(self.calls, key=lambda c: c["start"])]
        return labels[:1] + [b for a, b in pairwise(labels) if a != b]

    @property
    def interest(self) -> tuple[float, int, int, int]:
        """What sorts the page: differences, calls of one method, families, domains.

        A differing call counts by its probability: a network that doubts itself says little.
        """
        differing = [
            probability(call) or 0.0
            for call, word in zip(self.calls, self.agreement, strict=True)
            if word == "differ"
        ]
        return (
            round(sum(differing), 3),
            self.agreement.count("only"),
            len(set(self.families)),
            len(self.calls),
        )


def probability(call: Mapping[str, Any]) -> float | None:
    """The score of a network's call; profile HMMs state bits and an E-value instead."""
    return None if call.get("evalue") is not None else call["score"]


def plain(family: str) -> str:
    """A Pfam accession without its version."""
    return family.split(".")[0]


def join(
    query: str | Path,
    calls: Sequence[str | Path],
    terms: str | Path | None = None,
    family_terms: FamilyTerms | None = None,
) -> Iterator[Protein]:
    """Yield the proteins of a ``query`` table with the calls of all files.

    Args:
        terms: calls of GO terms by a network, if any.
        family_terms: terms of the families that profile HMMs find, if known.

    Raises:
        InputError: a file holds calls on proteins that are not the query's, or in another order.
    """
    streams = [Stream(path) for path in calls]
    called = Stream(terms) if terms else None
    for row in _rows(query):
        found = [call for stream in streams for call in stream.of(row["protein"])]
        found.sort(key=lambda call: (call["start"], call["end"], call["method"]))
        said = list(called.of(row["protein"])) if called else []
        said += family_terms.of(found) if family_terms else []
        said.sort(key=lambda term: (-term["score"], term["label"], term["method"]))
        yield Protein(row["protein"], row["length"], row["description"], found,
                      judge(found, several=len(streams) > 1), said)  # fmt: skip
    for stream in (*streams, *([called] if called else [])):
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


class Stream:
    """The rows of a calls file, taken protein by protein."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._rows = _rows(path)
        self._next = next(self._rows, None)

    def of(self, protein: str) -> Iterator[dict[str, Any]]:
        """The rows of the protein that is next in the query."""
        while self._next is not None and self._next["protein"] == protein:
            yield self._next
            self._next = next(self._rows, None)

    def must_be_read(self) -> None:
        """Raise an InputError if rows are left: they are of no protein of the query."""
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
