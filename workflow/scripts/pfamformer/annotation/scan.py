"""Profile HMMs on a stream of proteins: the domains of each, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyhmmer
from pyhmmer.easel import DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import HMM

from pfamformer.annotation.query import Record
from pfamformer.methods.profile_hmm import AMINO

#: Residues searched at a time: enough that profiles are set up rarely (1 % of the time with 100
#: profiles), and some tens of MB of memory.
BLOCK_RESIDUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain: envelope (1-based, inclusive), bits, E-value, and the part of the profile."""

    family: str
    start: int
    end: int
    score: float
    evalue: float
    model_start: int
    model_end: int
    model_length: int


def scan(
    hmms: Sequence[HMM], records: Iterable[Record], evalue: float, threads: int
) -> Iterator[list[tuple[Record, list[Domain]]]]:
    """Yield blocks of proteins with their domains by start, as ``hmmscan`` finds them.

    A domain counts when the E-values of protein and domain are at most ``evalue``: what chance
    finds in one protein searched with all profiles (``Z`` is their number, as in ``hmmscan``). For
    a given set of profiles that is one bit-score threshold per family, as a gathering threshold
    is, and depends neither on the size of the file nor on how it is cut into blocks. Of domains
    that overlap the best stays.
    """
    for block in blocks(records, BLOCK_RESIDUES):
        targets = DigitalSequenceBlock(
            AMINO,
            [
                TextSequence(name=str(i), sequence=record.sequence).digitize(AMINO)
                for i, record in enumerate(block)
            ],
        )
        found: list[list[Domain]] = [[] for _ in block]
        for hits in pyhmmer.hmmsearch(hmms, targets, cpus=threads, Z=len(hmms), E=evalue):
            for hit in hits.reported:
                found[int(hit.name)] += _domains(hits.query, hit, evalue)
        yield [(r, without_overlaps(d)) for r, d in zip(block, found, strict=True)]


def blocks(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Proteins in blocks of about so many residues."""
    block, residues = [], 0
    for record in records:
        block.append(record)
        residues += len(record.sequence)
        if residues >= size:
            yield block
            block, residues = [], 0
    if block:
        yield block


def _domains(hmm: HMM, hit: pyhmmer.plan7.Hit, evalue: float) -> Iterator[Domain]:
    for domain in hit.domains.reported:
        if domain.i_evalue <= evalue:
            yield Domain(
                hmm.accession or hmm.name, domain.env_from, domain.env_to, domain.score,
                domain.i_evalue, domain.alignment.hmm_from, domain.alignment.hmm_to, hmm.M,
            )  # fmt: skip


class Placed(Protocol):
    """A family at a place with a score."""

    family: str
    start: int
    end: int
    score: float


P = TypeVar("P", bound=Placed)


def without_overlaps(domains: Iterable[P]) -> list[P]:
    """The best-scoring domains of which no two share more than half of the shorter, by start."""
    kept: list[P] = []
    for domain in sorted(domains, key=lambda d: (-d.score, d.family, d.start)):
        if not any(overlap(domain, other) > 0.5 for other in kept):
            kept.append(domain)
    return sorted(kept, key=lambda d: (d.start, d.end))


def overlap(one: Placed, other: Placed) -> float:
    """Shared residues over the length of the shorter."""
    shared = min(one.end, other.end) - max(one.start, other.start) + 1
    return max(0, shared) / min(one.end - one.start + 1, other.end - other.start + 1)
