"""How consistent calls of terms are: the share of a called term's ancestors that is called too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags, identity

from pfamformer.evaluation.ontology import Graph

#: Probabilities from which the study counts a term as called, and one between them.
THRESHOLDS = (0.2, 0.5, 0.9)


@dataclass(frozen=True)
class Recovery:
    """What is called of the ancestors of called terms.

    Attributes:
        terms: called terms with ancestors below the root.
        share: mean share of these ancestors that is called too; NaN without any term.
        complete: share of terms all of whose ancestors are called.
    """

    terms: int
    share: float
    complete: float


def ancestors_of(graph: Graph) -> csr_matrix:
    """1 where a term (row) has an ancestor (column) that is judged, itself left out."""
    count = len(graph.terms)
    step = csr_matrix((np.ones(len(graph.edges)), graph.edges.T), shape=(count, count))
    found, reach = csr_matrix((count, count)), identity(count, format="csr")
    while (reach := (reach @ step).sign()).nnz:
        found = (found + reach).sign()
    found = (found @ diags(graph.judged.astype(float))).tocsr()
    found.eliminate_zeros()  # rows are counted by their stored entries
    return found


def recovery(scores: csr_matrix, ancestors: csr_matrix, threshold: float) -> Recovery:
    """Recovery of ancestors at a threshold.

    Args:
        scores: (proteins, terms).
        ancestors: of :func:`ancestors_of`.
    """
    called = (scores >= threshold).astype(float)
    protein, term = called.nonzero()
    due = np.diff(ancestors.indptr)[term]
    found = np.asarray((called @ ancestors.T)[protein, term]).ravel()
    shares = found[due > 0] / due[due > 0]
    if not len(shares):
        return Recovery(0, float("nan"), float("nan"))
    return Recovery(len(shares), float(shares.mean()), float((shares == 1).mean()))
