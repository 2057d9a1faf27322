"""Fmax, weighted Fmax and Smin of predicted terms, as CAFA defines them.

Definitions: Radivojac et al., Nature Methods 10 (2013) and Clark and Radivojac, Bioinformatics 29
(2013); the reference implementation is ``cafaeval`` (Piovesan et al. 2024), to which the tests hold
every number. That one keeps dense matrices of all proteins and terms, and counts anew at every
threshold; here the scores of some thousand proteins at a time become threshold numbers (one byte),
which are propagated and counted once for all thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pfamformer.tasks.ontology import Ontology

#: Score thresholds, computed as cafaeval does, so that ties fall on the same side.
THRESHOLDS = np.arange(0.01, 1, 0.01)
_BINS = len(THRESHOLDS) + 1
# Bytes of one block of proteins × terms; counting takes up to 40 times as much for a moment.
_BLOCK = 2**24


@dataclass(frozen=True)
class Graph:
    """The terms of one ontology, by position, children before parents.

    Args:
        terms: identifiers.
        edges: (child, parent) positions, shape (edges, 2), in the order of the children.
        information: information accretion, bits, shape (terms,).
        judged: whether a term counts, shape (terms,): roots are true of every protein.
    """

    terms: tuple[str, ...]
    edges: np.ndarray
    information: np.ndarray
    judged: np.ndarray

    @property
    def position(self) -> dict[str, int]:
        """Position of each term."""
        return {term: i for i, term in enumerate(self.terms)}


def make_graph(
    ontology: Ontology, name: str, information: Mapping[str, float], *, judge_roots: bool = False
) -> Graph:
    """The graph of the ontology called ``name``, such as ``mfo``."""
    terms = [term for term in ontology.terms.values() if term.ontology == name]
    position = {term.id: i for i, term in enumerate(terms)}
    edges = [(position[term.id], position[p]) for term in terms for p in term.parents]
    return Graph(
        tuple(position),
        np.array(edges, dtype=np.int64).reshape(-1, 2),
        np.array([information.get(term.id, 0.0) for term in terms]),
        np.array([judge_roots or bool(term.parents) for term in terms]),
    )


def bins_of(scores: np.ndarray) -> np.ndarray:
    """How many thresholds each score reaches, ``uint8``: all that the metrics know of it."""
    return np.searchsorted(THRESHOLDS, scores, side="right").astype(np.uint8)


@dataclass(frozen=True)
class Scores:
    """Predicted terms of many proteins, one entry each: protein and term by position, bin."""

    protein: np.ndarray
    term: np.ndarray
    bin: np.ndarray


@dataclass(frozen=True)
class Judged:
    """Per protein and threshold, shape (proteins, thresholds); ``_w``: weighted by information.

    ``precision`` is 0 where nothing is predicted (``covered`` is False there); ``remaining`` and
    ``wrong`` are bits: what of the truth is not predicted, what is predicted and not true.
    ``negative_bins``: for each known negative, how many thresholds its score reaches.
    """

    covered: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    covered_w: np.ndarray
    precision_w: np.ndarray
    recall_w: np.ndarray
    remaining: np.ndarray
    wrong: np.ndarray
    negative_bins: np.ndarray

    def take(self, proteins: np.ndarray) -> Judged:
        """The same of some of the proteins (positions or a mask); negatives stay behind."""
        return Judged(
            *(value[proteins] for name, value in vars(self).items() if name != "negative_bins"),
            self.negative_bins[:0],
        )


def judge(
    scores: Scores,
    truth: tuple[np.ndarray, np.ndarray],
    proteins: int,
    graph: Graph,
    negatives: tuple[np.ndarray, np.ndarray] | None = None,
) -> Judged:
    """Propagate predictions and truth to the ancestors and compare them at every threshold.

    Args:
        scores: predictions; a term that is given twice has its higher score.
        truth: positions of proteins and of their terms; each protein has at least one.
        proteins: number of proteins.
        negatives: positions of proteins and of terms that they are known not to have.
    """
    graph, columns = _needed(graph, scores.term, truth[1], *([negatives[1]] if negatives else []))
    order = np.argsort(scores.protein, kind="stable")
    found = (scores.protein[order], columns[scores.term[order]], scores.bin[order])
    order = np.argsort(truth[0], kind="stable")
    true = (truth[0][order], columns[truth[1][order]])
    blocks, reached = [], []
    size = max(1, _BLOCK // max(1, len(graph.terms)))
    for start in range(0, proteins, size):
        block = slice(start, min(start + size, proteins))
        bins = _propagated(graph, block, *_within(found, block))
        gold = _propagated(graph, block, *_within(true, block), np.uint8(1))
        if negatives is not None:
            inside = (negatives[0] >= block.start) & (negatives[0] < block.stop)
            reached.append(bins[columns[negatives[1][inside]], negatives[0][inside] - block.start])
        blocks.append(_compare(bins, gold.astype(bool), graph))
    parts = [np.concatenate(part) for part in zip(*blocks, strict=True)]
    return Judged(*parts, np.concatenate(reached) if reached else np.empty(0, np.uint8))


def _needed(graph: Graph, *used: np.ndarray) -> tuple[Graph, np.ndarray]:
    """The graph of these terms and their ancestors alone, and the new position of each old one."""
    keep = np.zeros(len(graph.terms), dtype=bool)
    for terms in used:
        keep[terms] = True
    for child, parent in graph.edges:  # children come before parents
        keep[parent] |= keep[child]
    columns = np.cumsum(keep) - 1
    edges = graph.edges[keep[graph.edges[:, 0]]]
    terms = tuple(term for term, kept in zip(graph.terms, keep, strict=True) if kept)
    return Graph(terms, columns[edges], graph.information[keep], graph.judged[keep]), columns


def _within(entries: tuple[np.ndarray, ...], block: slice) -> Iterator[np.ndarray]:
    first, last = np.searchsorted(entries[0], [block.start, block.stop])
    return (values[first:last] for values in entries)


def _propagated(
    graph: Graph, block: slice, protein: np.ndarray, term: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """Highest value of each term and of what is below it, shape (terms, proteins), ``uint8``."""
    table = np.zeros((len(graph.terms), block.stop - block.start), dtype=np.uint8)
    np.maximum.at(table, (term, protein - block.start), value)
    for child, parent in graph.edges:
        np.maximum(table[parent], table[child], out=table[parent])
    return table


def _compare(bins: np.ndarray, gold: np.ndarray, graph: Graph) -> list[np.ndarray]:
    bins = np.where(graph.judged[:, None], bins, np.uint8(0))
    gold = gold & graph.judged[:, None]
    term, protein = np.nonzero(bins)
    place = protein * _BINS + bins[term, protein]
    right = gold[term, protein]
    results = []
    for weight in (np.ones(len(graph.terms)), graph.information):
        predicted = _at_thresholds(place, weight[term], bins.shape[1])
        correct = _at_thresholds(place[right], weight[term[right]], bins.shape[1])
        true = (weight @ gold)[:, None]
        covered = predicted > 0
        results += [covered, _ratio(correct, predicted), _ratio(correct, true)]
    # What is left of the weighted pass: remaining uncertainty and misinformation.
    return [*results, np.maximum(true - correct, 0.0), np.maximum(predicted - correct, 0.0)]


def _at_thresholds(place: np.ndarray, weight: np.ndarray, proteins: int) -> np.ndarray:
    """Sums of weights at or above each threshold, shape (proteins, thresholds)."""
    counts = np.bincount(place, weight, proteins * _BINS).reshape(proteins, _BINS)
    return np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


@dataclass(frozen=True)
class Curves:
    """Means over proteins at each threshold, shape (…, thresholds).

    Precision is a mean over the proteins with a prediction, everything else over all.
    """

    coverage: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f: np.ndarray
    f_w: np.ndarray
    remaining: np.ndarray
    wrong: np.ndarray
    s: np.ndarray


def curves(judged: Judged, weights: np.ndarray | None = None) -> Curves:
    """Curves over thresholds.

    Args:
        weights: how often each protein counts, shape (…, proteins); None: once.
    """
    if weights is None:
        weights = np.ones(len(judged.covered))
    total = weights.sum(axis=-1)[..., None]
    mean = lambda values: weights @ values / total  # noqa: E731
    f, coverage, precision, recall = [], [], [], []
    for covered, pr, rc in (
        (judged.covered, judged.precision, judged.recall),
        (judged.covered_w, judged.precision_w, judged.recall_w),
    ):
        coverage.append(mean(covered))
        precision.append(_ratio(mean(pr), coverage[-1]))
        recall.append(mean(rc))
        f.append(_ratio(2 * precision[-1] * recall[-1], precision[-1] + recall[-1]))
    remaining, wrong = mean(judged.remaining), mean(judged.wrong)
    return Curves(
        coverage[0], precision[0], recall[0], f[0], f[1], remaining, wrong,
        np.hypot(remaining, wrong),
    )  # fmt: skip


@dataclass(frozen=True)
class Best:
    """The best values over thresholds, and where they are; arrays where the curves have draws.

    Thresholds at which no protein has a prediction are not looked at, as in cafaeval.
    """

    fmax: np.ndarray
    fmax_threshold: np.ndarray
    coverage: np.ndarray
    weighted_fmax: np.ndarray
    smin: np.ndarray
    smin_threshold: np.ndarray


def best(found: Curves) -> Best:
    """Fmax, weighted Fmax and Smin; Smin is NaN where nothing is predicted at all."""
    used = found.coverage > 0
    f = np.where(used, found.f, 0.0)
    s = np.where(used, found.s, np.inf)
    at_f, at_s = f.argmax(axis=-1), s.argmin(axis=-1)
    smin = s.min(axis=-1)
    return Best(
        f.max(axis=-1),
        THRESHOLDS[at_f],
        np.take_along_axis(found.coverage, at_f[..., None], -1)[..., 0],
        np.where(used, found.f_w, 0.0).max(axis=-1),
        np.where(np.isinf(smin), np.nan, smin),
        THRESHOLDS[at_s],
    )


def bootstrap(judged: Judged, *, draws: int, seed: int) -> Best:
    """The best values of resampled proteins, one for each draw."""
    stream = np.random.default_rng(seed)
    proteins = len(judged.covered)
    share = np.full(proteins, 1 / proteins)
    # Some draws at a time: a table of draws × proteins can be large.
    steps = [min(100, draws - done) for done in range(0, draws, 100)]
    found = [
        best(curves(judged, stream.multinomial(proteins, share, size=step).astype(float)))
        for step in steps
    ]
    return Best(*(np.concatenate([getattr(b, name) for b in found]) for name in vars(found[0])))


def information_accretion(
    proteins: Sequence[np.ndarray], ontology: Ontology, terms: Sequence[str]
) -> np.ndarray:
    """Bits that each term adds to what its parents say: −log2 Pr(term | all parents).

    Clark and Radivojac (2013). One imaginary protein has all terms, so that a term that was never
    seen is surprising, not impossible; CAFA's own program does the same.

    Args:
        proteins: for each term, the sorted positions of the proteins that have it (propagated).
        terms: identifiers, as ``proteins``.
    """
    position = {term: i for i, term in enumerate(terms)}
    information = np.zeros(len(terms))
    for i, term in enumerate(terms):
        parents = [proteins[position[p]] for p in ontology.terms[term].parents]
        if parents:
            together = np.concatenate(parents)
            both = (np.bincount(together) == len(parents)).sum() if len(together) else 0
            information[i] = np.log2((both + 1) / (len(proteins[i]) + 1))
    return information
