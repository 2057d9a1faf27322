"""GO terms by several methods together: boosted trees that learn on dev how far to trust each.

One row is a protein and a term that some member calls; its features are what every member says,
how much each says about the protein at all, and how common and how informative the term is. That
is the idea of GOLabeler's learning to rank (You et al., Bioinformatics 34, 2018), with a
calibrated probability in place of a rank, because Fmax and Smin use one threshold for all proteins.

No feature names a term: what dev says of single terms, such as that experiments find protein
binding more often than curators transfer it, holds for its species and years, not for later ones.
Of the years before CAFA3, with trees fitted on the early ones and asked about 2016, a feature with
each term's frequency on dev costs Fmax in all ontologies (``benchmarks/go_cafa3.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier

from pfamformer.command import log
from pfamformer.evaluation.terms import Calls, Question
from pfamformer.methods import RANKING
from pfamformer.methods.calls import term_calls
from pfamformer.methods.term_combination import combine, matrix

#: Development proteins below which an ontology has no trees: their leaves hold a hundred rows.
LEAST = 20
# Proteins predicted at once: some hundred candidates each, some hundred bytes per candidate.
_BLOCK = 2_000
#: Few small trees with large leaves: a dev part has some hundred proteins, and the candidates of a
#: protein hang together. With 150 trees of 15 leaves the demo's dev part was learnt by heart.
TREES = {
    "max_iter": 60, "learning_rate": 0.06, "max_leaf_nodes": 8, "min_samples_leaf": 300,
    "l2_regularization": 1.0, "early_stopping": False,
}  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """What dev taught in one ontology.

    Args:
        trees: of :func:`features`.
        frequency: training frequency of each term, (terms,).
    """

    ontology: str
    trees: HistGradientBoostingClassifier
    frequency: np.ndarray
    proteins: int
    candidates: int


def features(
    members: Sequence[csr_matrix], question: Question, frequency: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates of some proteins: protein and term by position, and features, (candidates, F).

    A member that says nothing about a protein is missing there (NaN), not zero.

    Args:
        members: scores, (proteins, terms).
    """
    union = sum(member.sign() for member in members).tocoo()
    protein, term = union.row, union.col
    columns = []
    for member in members:
        highest = member.max(axis=1).toarray().ravel()
        said = np.asarray(member[protein, term]).ravel()
        columns += [np.where(highest[protein] > 0, said, np.nan), highest[protein]]
    columns += [np.log(frequency[term]), question.graph.information[term]]
    return protein, term, np.stack(columns, axis=1).astype(np.float32)


def frequencies(terms: pd.DataFrame, question: Question) -> np.ndarray:
    """Training frequency of each term of the ontology, (terms,); one protein more than counted."""
    known = terms.set_index("term")["train_proteins"]
    count = known.reindex(question.graph.terms).to_numpy(dtype=float)
    return (count + 1) / (count.max() + 2)


def fit(
    members: Sequence[Calls], question: Question, terms: pd.DataFrame, seed: int
) -> Ranking | None:
    """Learn on this question, of a development part; None where that has too few proteins.

    Args:
        terms: the ``terms`` table.
    """
    if len(question.proteins) < LEAST:
        log.info("%s: %d development proteins are too few", question.name, len(question.proteins))
        return None
    scores = [matrix(calls, question) for calls in members]
    shape = scores[0].shape
    truth = csr_matrix((np.ones(len(question.truth[0])), question.truth), shape=shape).sign()
    frequency = frequencies(terms, question)
    protein, term, rows = features(scores, question, frequency)
    kept = question.graph.judged[term]
    right = np.asarray(truth[protein, term]).ravel()
    trees = HistGradientBoostingClassifier(**TREES, random_state=seed)
    trees.fit(rows[kept], right[kept])
    log.info("%s: %d candidates of %d proteins", question.name, kept.sum(), shape[0])
    return Ranking(question.name, trees, frequency, shape[0], int(kept.sum()))


def predict(
    members: Sequence[Calls], rankings: Sequence[Ranking], asked: Sequence[Question], run: str
) -> Iterator[pd.DataFrame]:
    """Pieces of the ``calls`` table on the proteins asked about.

    An ontology without a ranking, for want of development proteins, gets the members' mean.
    """
    known = {ranking.ontology: ranking for ranking in rankings}
    for question in asked:
        scores = [matrix(calls, question) for calls in members]
        names = question.proteins.to_numpy(), np.asarray(question.graph.terms, dtype=object)
        for start in range(0, len(names[0]), _BLOCK):
            part = [member[start : start + _BLOCK] for member in scores]
            protein, term, said = _scores(part, question, known.get(question.name))
            yield term_calls(names[0][start + protein], names[1][term], said, RANKING, run)


def _scores(
    members: Sequence[csr_matrix], question: Question, ranking: Ranking | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Protein, term and probability of every candidate."""
    if ranking is None:
        mean = combine(members, [1 / len(members)] * len(members)).tocoo()
        return mean.row, mean.col, np.minimum(mean.data, 1.0)
    protein, term, rows = features(members, question, ranking.frequency)
    if not len(rows):
        return protein, term, np.empty(0)
    return protein, term, ranking.trees.predict_proba(rows)[:, 1]
