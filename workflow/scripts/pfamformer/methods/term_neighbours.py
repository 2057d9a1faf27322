"""Terms of similar training proteins, found by MMseqs2 and scored in two ways.

``best identity``: a term's score is the identity of the most similar protein that has it, the
BLAST baseline of CAFA. ``bit-score vote``: the share of bit scores that the proteins with the term
have among all similar proteins annotated in its ontology (GOLabeler's BLAST-KNN, You et al. 2018,
as used by NetGO). Two more votes read the same hits narrowly, for combinations: of the nearest
alone, and by bits × identity × coverage², so that relatives of one domain count less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from pfamformer.command import log
from pfamformer.families.similarity import find_neighbours
from pfamformer.methods import BEST_IDENTITY, BIT_SCORE_VOTE, CLOSE_VOTE, NEAREST_VOTE
from pfamformer.methods.calls import term_calls
from pfamformer.tasks.go import ONTOLOGIES, GoTask

# Hits of a protein that the narrow vote hears.
_NEAREST = 5


def neighbours(
    task: GoTask, proteins: Sequence[str], threads: int, sensitivity: float = 7.5
) -> pd.DataFrame:
    """Hits of these proteins among the training proteins: ``query, target, identity, bits``."""
    rows = task.annotations
    known = set(rows.loc[(rows["part"] == "train") & ~rows["negative"], "protein"])
    table = task.proteins.rename(columns={"protein": "id"})
    hits = find_neighbours(
        table[table["id"].isin(set(proteins))], table[table["id"].isin(known)], threads, sensitivity
    )
    # With limited knowledge a test protein trains in another ontology: not as its own neighbour.
    return hits[hits["query"] != hits["target"]].reset_index(drop=True)


def predict(task: GoTask, hits: pd.DataFrame, run: str) -> dict[str, pd.DataFrame]:
    """The ``calls`` tables of all scorings, by method; a protein without a hit has no calls.

    Args:
        hits: the ``neighbours`` table, the best hits of a protein first.
    """
    found = _Hits(hits)
    identity = found.matrix(hits["identity"])
    best = []
    for name in ONTOLOGIES:
        has, terms = _membership(task, name, found.targets)
        q, t, score = _highest(identity, has)
        best.append(term_calls(found.queries[q], terms[t], score, BEST_IDENTITY, run))
    log.info("%d proteins with neighbours, %d hits", len(found.queries), len(hits))
    return {
        BEST_IDENTITY: pd.concat(best, ignore_index=True),
        BIT_SCORE_VOTE: vote(task, hits, BIT_SCORE_VOTE, run),
        NEAREST_VOTE: vote(
            task, hits[hits.groupby("query").cumcount() < _NEAREST], NEAREST_VOTE, run
        ),
        CLOSE_VOTE: vote(
            task,
            hits.assign(bits=hits["bits"] * hits["identity"] * hits["coverage"] ** 2),
            CLOSE_VOTE,
            run,
        ),
    }


def vote(task: GoTask, hits: pd.DataFrame, method: str, run: str) -> pd.DataFrame:
    """The ``calls`` table of a vote: the share of ``bits`` that targets with a term have.

    Only targets annotated in the term's ontology have a vote.
    """
    found = _Hits(hits)
    bits = found.matrix(hits["bits"])
    calls = []
    for name in ONTOLOGIES:
        has, terms = _membership(task, name, found.targets)
        annotated = (np.diff(has.indptr) > 0).astype(float)
        total = bits @ annotated
        votes = (bits @ has).tocoo()
        scores = votes.data / total[votes.row]
        calls.append(term_calls(found.queries[votes.row], terms[votes.col], scores, method, run))
    return pd.concat(calls, ignore_index=True)


class _Hits:
    """Queries and targets by position."""

    def __init__(self, hits: pd.DataFrame) -> None:
        queries, targets = (pd.Index(sorted(set(hits[role]))) for role in ("query", "target"))
        self.targets, self.queries = targets, queries.to_numpy()
        self._place = queries.get_indexer(hits["query"]), targets.get_indexer(hits["target"])

    def matrix(self, values: pd.Series) -> csr_matrix:
        """One value of every hit, shape (queries, targets)."""
        shape = (len(self.queries), len(self.targets))
        return csr_matrix((values.to_numpy(float), self._place), shape=shape)


def _membership(task: GoTask, name: str, targets: pd.Index) -> tuple[csr_matrix, np.ndarray]:
    """Which of these training proteins has which term, shape (proteins, terms); the terms."""
    rows = task.annotations
    wanted = (rows["ontology"] == name) & (rows["part"] == "train") & ~rows["negative"]
    rows = rows[wanted & rows["protein"].isin(targets)]
    column, terms = pd.factorize(rows["term"], sort=True)
    row = targets.get_indexer(rows["protein"])
    shape = (len(targets), len(terms))
    return csr_matrix((np.ones(len(rows)), (row, column)), shape=shape), np.asarray(terms)


def _highest(identity: csr_matrix, has: csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each query and term the highest identity among the targets that have it."""
    found = []
    for query in range(identity.shape[0]):
        inside = slice(identity.indptr[query], identity.indptr[query + 1])
        terms = has[identity.indices[inside]]
        scores = np.repeat(identity.data[inside], np.diff(terms.indptr))
        best = np.zeros(has.shape[1])
        np.maximum.at(best, terms.indices, scores)
        at = np.flatnonzero(best)
        found.append((np.full(len(at), query), at, best[at]))
    if not found:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def best_identity(hits: pd.DataFrame, proteins: Sequence[str]) -> pd.Series:
    """Identity of the most similar training protein, by protein; empty without a hit."""
    return hits.groupby("query")["identity"].max().reindex(list(proteins))
