"""Single linkage within families: which domains hang together, directly or through others.

Two definitions of a link. *Search*: a Smith-Waterman alignment of the two domains with enough
identity, coverage and score, in either direction (MMseqs2 corrects scores for the composition of
the query). *Alignment*: identity in the seed alignment itself
(:mod:`pfamformer.families.seed_identity`).

By search, all pairs of a family would be quadratic, but only pairs of *different* components can
change anything. So a few random partners are aligned first, which joins most of each family, and
then every pair that still lies in two components, in both directions. The components are exactly
those of all pairs. Cost: 2 r n alignments for a family of n domains with r outside the largest
component, plus a few n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pfamformer.command import log
from pfamformer.families.similarity import Aligner, over_threshold, search

# Pairs handed to MMseqs2 at a time: about 100 MB of text. Between two such calls joined components
# are known, and their pairs need no alignment any more.
CHUNK = 1_000_000
# Random partners of each domain in a round; rounds end when one joins less than a tenth of those
# that were left, at the latest after eight.
PARTNERS, WORTHWHILE, ROUNDS = 6, 0.1, 8


class Components:
    """A partition of rows 0 … n-1 that grows coarser with every link.

    Attributes:
        labels: component of each row, (n,), integers.
    """

    def __init__(self, rows: int) -> None:
        self.labels = np.arange(rows)

    def link(self, first: np.ndarray, second: np.ndarray) -> None:
        """Put row ``first[i]`` and row ``second[i]`` into one component, for every i."""
        n = len(self.labels)
        ends = self.labels[first], self.labels[second]
        graph = coo_array((np.ones(len(first), dtype=bool), ends), (n, n))
        self.labels = connected_components(graph, directed=False)[1][self.labels]

    def outside(self, rows: np.ndarray) -> np.ndarray:
        """Those of ``rows`` that are not in the largest component among them."""
        labels, counts = np.unique(self.labels[rows], return_counts=True)
        return rows[self.labels[rows] != labels[counts.argmax()]]


@dataclass(frozen=True)
class Linkage:
    """What linking found.

    Attributes:
        components: component of each domain, (domains,), numbered from 0 in order of appearance.
        alignments: alignments computed (0 for the definition ``alignment``).
        all_pairs: alignments that all ordered pairs would have been.
        beyond: families too large for all pairs, whose last pairs came from a k-mer prefilter.
    """

    components: np.ndarray
    alignments: int
    all_pairs: int
    beyond: list[str]


def family_rows(families: pd.Series) -> dict[str, np.ndarray]:
    """Row numbers of each family, families in order of their names."""
    order = np.argsort(families.to_numpy(dtype=object), kind="stable")
    names, starts = np.unique(families.to_numpy(dtype=object)[order], return_index=True)
    return dict(zip(names, np.split(order, starts[1:]), strict=True))


def all_pairs(families: pd.Series) -> int:
    """Ordered pairs of different rows of the same family."""
    sizes = families.value_counts().to_numpy(dtype=np.int64)
    return int((sizes * (sizes - 1)).sum())


def link_by_search(
    domains: pd.DataFrame,
    *,
    min_identity: float,
    min_coverage: float,
    min_bits: float,
    exhaustive_up_to: int,
    threads: int,
    seed: int,
) -> Linkage:
    """Components of the graph of similar domains within each family.

    Args:
        domains: columns ``id``, ``family``, ``sequence``.
        min_identity, min_coverage, min_bits: what makes two domains similar: 0…1, 0…1 (coverage of
            both), and the score in bits.
        exhaustive_up_to: largest family (domains) whose last pairs are all aligned; in a larger one
            the domains outside the largest component are searched with a k-mer prefilter.
        seed: of the choice of partners; the result depends on it only in families beyond.
    """
    families = [rows for rows in family_rows(domains["family"]).values() if len(rows) > 1]
    found = Components(len(domains))
    stream = np.random.default_rng(seed)

    def link(queries: np.ndarray, targets: np.ndarray) -> None:
        hits = aligner.align(queries, targets)
        hits = hits[over_threshold(hits, min_identity, min_coverage, min_bits)]
        found.link(hits["query"].to_numpy(), hits["target"].to_numpy())

    with Aligner(domains["sequence"], threads) as aligner:
        left = sum(len(rows) - 1 for rows in families)
        for round_ in range(ROUNDS):
            for queries, targets in _chunks(_partners(families, found, stream)):
                link(queries, targets)
            before, left = left, sum(len(found.outside(rows)) for rows in families)
            log.info("round %d: %d domains outside the largest components", round_ + 1, left)
            if before - left <= WORTHWHILE * before:
                break
        exhaustive = [rows for rows in families if len(rows) <= exhaustive_up_to]
        for queries, targets in _chunks(_cross_pairs(exhaustive, found)):
            link(queries, targets)
            log.info("%d alignments", aligner.count)
    beyond = [rows for rows in families if len(rows) > exhaustive_up_to]
    for rows in beyond:
        outside = found.outside(rows)
        sequences = domains["sequence"]
        hits = search(sequences.iloc[outside], sequences.iloc[rows], threads, "kmer")
        hits = hits[over_threshold(hits, min_identity, min_coverage, min_bits)]
        found.link(outside[hits["query"]], rows[hits["target"]])
    return Linkage(
        pd.factorize(found.labels)[0],
        aligner.count,
        all_pairs(domains["family"]),
        [str(domains["family"].iloc[rows[0]]) for rows in beyond],
    )


def _partners(
    families: Sequence[np.ndarray], found: Components, stream: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each row outside its family's largest component with a few random rows of others."""
    for rows in families:
        queries = np.repeat(found.outside(rows), PARTNERS)
        targets = rows[stream.integers(len(rows), size=len(queries))]
        apart = found.labels[queries] != found.labels[targets]
        yield queries[apart], targets[apart]


def _cross_pairs(
    families: Sequence[np.ndarray], found: Components
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of different components, both directions, as components are when asked for."""
    for rows in families:
        outside = found.outside(rows)
        step = max(1, CHUNK // (2 * len(rows)))
        for start in range(0, len(outside), step):
            some = outside[start : start + step]
            queries, targets = np.repeat(some, len(rows)), np.tile(rows, len(some))
            apart = found.labels[queries] != found.labels[targets]
            queries, targets = queries[apart], targets[apart]
            # Of two rows outside, each is a query; rows inside are queries only here.
            back = ~np.isin(targets, outside)
            yield (
                np.concatenate([queries, targets[back]]),
                np.concatenate([targets, queries[back]]),
            )


def _chunks(
    pairs: Iterator[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same pairs, about ``CHUNK`` at a time."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for some in pairs:
        held.append(some)
        if sum(len(queries) for queries, _ in held) >= CHUNK:
            yield tuple(np.concatenate(side) for side in zip(*held, strict=True))
            held = []
    if held:
        yield tuple(np.concatenate(side) for side in zip(*held, strict=True))


def held_out_pairs(families: pd.Series, part: pd.Series) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Held-out rows with all training rows of their family, about ``CHUNK`` pairs at a time."""

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        train = (part == "train").to_numpy()
        for rows in family_rows(families).values():
            inside, outside = rows[train[rows]], rows[~train[rows]]
            step = max(1, CHUNK // max(1, len(inside)))
            for start in range(0, len(outside), step):
                some = outside[start : start + step]
                yield np.repeat(some, len(inside)), np.tile(inside, len(some))

    return _chunks(pairs())
