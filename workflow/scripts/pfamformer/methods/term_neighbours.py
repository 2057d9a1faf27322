"""Terms of similar training proteins, found by MMseqs2 and scored in two ways.

``best identity``: a term's score is the identity of the most similar protein that has it, the
BLAST baseline of CAFA. ``bit-score vote``: the share of bit scores that the proteins with the term
have among all similar proteins annotated in its ontology (GOLabeler's BLAST-KNN, You et al. 2018,
as used by NetGO).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from pfamformer.command import log
from pfamformer.families.similarity import find_neighbours
from pfamformer.methods.calls import term_calls
from pfamformer.tasks.go import ONTOLOGIES, GoTask

BEST_IDENTITY = "neighbours, best identity"
BIT_SCORE_VOTE = "neighbours, bit-score vote"


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
    """The ``calls`` tables of both scorings, by method; a protein without a hit has no calls."""
    queries = pd.Index(sorted(set(hits["query"])))
    targets = pd.Index(sorted(set(hits["target"])))
    row, column = queries.get_indexer(hits["query"]), targets.get_indexer(hits["target"])
    shape = (len(queries), len(targets))
    bits = csr_matrix((hits["bits"].to_numpy(float), (row, column)), shape=shape)
    identity = csr_matrix((hits["identity"].to_numpy(float), (row, column)), shape=shape)
    calls: dict[str, list[pd.DataFrame]] = {BEST_IDENTITY: [], BIT_SCORE_VOTE: []}
    for name in ONTOLOGIES:
        has, terms = _membership(task, name, targets)
        # Only targets annotated in this ontology have a vote.
        annotated = (np.diff(has.indptr) > 0).astype(float)
        total = bits @ annotated
        votes = (bits @ has).tocoo()
        calls[BIT_SCORE_VOTE].append(
            term_calls(
                queries.to_numpy()[votes.row], terms[votes.col], votes.data / total[votes.row],
                BIT_SCORE_VOTE, run,
            )
        )  # fmt: skip
        q, t, score = _highest(identity, has)
        calls[BEST_IDENTITY].append(
            term_calls(queries.to_numpy()[q], terms[t], score, BEST_IDENTITY, run)
        )
    log.info("%d proteins with neighbours, %d hits", len(queries), len(hits))
    return {method: pd.concat(tables, ignore_index=True) for method, tables in calls.items()}


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
