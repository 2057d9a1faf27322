"""GO terms by several methods together: a convex combination for each ontology, fitted on dev.

A method that says nothing about a protein, such as a search without a hit, has no weight there: the
others share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags

from pfamformer.evaluation.ontology import Scores, best, bins_of, curves, judge
from pfamformer.evaluation.terms import Calls, Question, positions
from pfamformer.methods import NETWORK_AND_VOTE
from pfamformer.methods.calls import term_calls

# Weights are multiples of a tenth: a development part of a few hundred proteins tells no more.
STEPS = 10


@dataclass(frozen=True)
class Fit:
    """Weights of the members in one ontology, and Fmax on dev of them together and of each."""

    ontology: str
    weights: tuple[float, ...]
    fmax: float
    alone: tuple[float, ...]
    proteins: int


def matrix(calls: Calls, question: Question) -> csr_matrix:
    """Scores of a method, (proteins, terms of the ontology); what it does not say is 0."""
    protein = positions(calls.table["protein"], question.proteins)
    term = positions(calls.table["label"], pd.Index(question.graph.terms))
    kept = (protein >= 0) & (term >= 0)
    shape = (len(question.proteins), len(question.graph.terms))
    scores = calls.table["score"].to_numpy()[kept]
    return csr_matrix((scores, (protein[kept], term[kept])), shape=shape)


def combine(members: Sequence[csr_matrix], weights: Sequence[float]) -> csr_matrix:
    """The weighted mean over the members that say something about a protein."""
    says = [weight * (np.diff(m.indptr) > 0) for m, weight in zip(members, weights, strict=True)]
    total = np.maximum(sum(says), np.finfo(float).tiny)
    return sum(diags(said / total) @ m for m, said in zip(members, says, strict=True)).tocsr()


def fmax(scores: csr_matrix, question: Question) -> float:
    """Fmax of these scores."""
    entries = scores.tocoo()
    found = Scores(entries.row, entries.col, bins_of(entries.data))
    judged = judge(found, question.truth, len(question.proteins), question.graph)
    return float(best(curves(judged)).fmax)


def fit(members: Sequence[Calls], question: Question) -> Fit:
    """The weights with the highest Fmax on this question; of equal ones the most even."""
    matrices = [matrix(calls, question) for calls in members]
    tried = sorted(_simplex(len(members)), key=lambda weights: float(np.square(weights).sum()))
    reached = [fmax(combine(matrices, weights), question) for weights in tried]
    at = int(np.argmax(reached))
    alone = tuple(fmax(found, question) for found in matrices)
    return Fit(question.name, tried[at], reached[at], alone, len(question.proteins))


def _simplex(members: int) -> Iterator[tuple[float, ...]]:
    """All weights that are multiples of 1/STEPS and sum to 1."""
    for counts in product(range(STEPS + 1), repeat=members - 1):
        if sum(counts) <= STEPS:
            yield tuple(count / STEPS for count in (*counts, STEPS - sum(counts)))


def predict(
    members: Sequence[Calls], fits: Sequence[Fit], asked: Sequence[Question], run: str
) -> pd.DataFrame:
    """The ``calls`` table of the combination on the proteins asked about.

    An ontology without development proteins gets equal weights.
    """
    weights = {found.ontology: found.weights for found in fits}
    even = (1 / len(members),) * len(members)
    tables = []
    for question in asked:
        matrices = [matrix(calls, question) for calls in members]
        found = combine(matrices, weights.get(question.name, even)).tocoo()
        names = question.proteins.to_numpy(), np.asarray(question.graph.terms, dtype=object)
        # A mean of scores up to 1 may exceed it by a rounding error.
        scores = np.minimum(found.data, 1.0)
        tables.append(
            term_calls(names[0][found.row], names[1][found.col], scores, NETWORK_AND_VOTE, run)
        )
    return pd.concat(tables, ignore_index=True)
