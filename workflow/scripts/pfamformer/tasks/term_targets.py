"""GO terms as a network's targets: which proteins have which term, and when a term can be judged.

A term can be judged on a protein where its *conditions* hold. For a network that says every term by
itself, the condition is that the protein is annotated in the term's ontology at all. With the
ontology inside, all parents must be true: the network then says Pr(term | parents), whose product
along all ancestors is Pr(term). That is the model behind information accretion (Clark and
Radivojac, Bioinformatics 29, 2013), and no parent can be less likely than its child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, identity

from pfamformer.tasks.go import ONTOLOGIES, GoTask


@dataclass(frozen=True)
class Conditions:
    """What must hold for a term to be judged.

    Args:
        terms: the predicted terms, children before parents.
        pairs: (term, condition), shape (pairs, 2), by position; conditions from ``len(terms)`` on
            stand for "annotated in this ontology", in the order of ``ONTOLOGIES``.
    """

    terms: tuple[str, ...]
    pairs: np.ndarray

    @property
    def closure(self) -> csr_matrix:
        """Each term with all terms that its conditions lead to, 0 or 1, (terms, terms)."""
        count = len(self.terms)
        inside = self.pairs[self.pairs[:, 1] < count]
        step = csr_matrix((np.ones(len(inside)), inside.T), shape=(count, count))
        found = reach = identity(count, format="csr")
        while reach.nnz:
            reach = (reach @ step).sign()
            found = (found + reach).sign()
        return found.astype(np.float32)


def conditions_of(terms: pd.DataFrame, ontology: bool) -> Conditions:
    """The conditions of the terms that have enough training proteins.

    Args:
        terms: the ``terms`` table.
        ontology: whether parents are conditions.
    """
    chosen = terms[terms["predicted"]]
    position = {term: i for i, term in enumerate(chosen["term"])}
    pairs = []
    for term, name, parents in chosen[["term", "ontology", "parents"]].itertuples(index=False):
        # A root holds wherever its ontology is annotated; every other parent has enough proteins.
        root = len(position) + ONTOLOGIES.index(name)
        found = (
            {position.get(parent, root) for parent in parents.split(",")} if ontology else {root}
        )
        pairs += [(position[term], condition) for condition in sorted(found)]
    return Conditions(tuple(position), np.array(pairs, dtype=np.int64).reshape(-1, 2))


def truth_of(task: GoTask, conditions: Conditions, proteins: Sequence[str]) -> csr_matrix:
    """Training annotations, 0 or 1: (proteins, terms and then annotated ontologies)."""
    rows = task.annotations
    rows = rows[(rows["part"] == "train") & ~rows["negative"] & rows["protein"].isin(proteins)]
    row = pd.Index(proteins).get_indexer(rows["protein"])
    term = pd.Index(conditions.terms).get_indexer(rows["term"])
    ontology = len(conditions.terms) + pd.Index(ONTOLOGIES).get_indexer(rows["ontology"])
    row, column = np.r_[row[term >= 0], row], np.r_[term[term >= 0], ontology]
    shape = (len(proteins), len(conditions.terms) + len(ONTOLOGIES))
    return csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape).sign()


def log_odds(truth: csr_matrix, conditions: Conditions) -> np.ndarray:
    """Log-odds of each term among the proteins on which it can be judged, (terms,).

    One imaginary protein with the term and one without keep them finite.
    """
    count = len(conditions.terms)
    columns = truth.tocsc()
    odds = np.zeros(count)
    for term in range(count):
        asked = conditions.pairs[conditions.pairs[:, 0] == term, 1]
        together = np.concatenate([columns[:, c].indices for c in asked])
        judged = np.flatnonzero(np.bincount(together, minlength=1) == len(asked))
        having = len(np.intersect1d(judged, columns[:, term].indices, assume_unique=True))
        odds[term] = np.log((having + 1) / (len(judged) - having + 1))
    return odds
