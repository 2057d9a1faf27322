"""Nearest neighbours by sequence similarity, and the majority class: baselines without training.

MMseqs2 searches each held-out domain against the training domains. Two searches, both with BLAST's
default threshold E ≤ 10: one at MMseqs2's default sensitivity, one at its highest (``-s 7.5``),
which stands in for BLASTp: a plain search of sequences with sequences. BLAST itself is not run.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pfamformer.families.similarity import find_neighbours
from pfamformer.methods import VOTERS

# BLASTp's own default.
EVALUE = 10
# MMseqs2's default sensitivity and the highest that its manual recommends.
DEFAULT_SENSITIVITY, HIGHEST_SENSITIVITY = 5.7, 7.5


def search_training(
    queries: pd.DataFrame, training: pd.DataFrame, sensitivity: float, threads: int
) -> pd.DataFrame:
    """Hits of ``queries`` among ``training``.

    Args:
        queries, training: columns ``id``, ``family``, ``sequence``.
        sensitivity: MMseqs2's ``-s``.

    Returns:
        Columns ``id`` (of the query), ``family`` (of the training domain) and ``score`` (bits).
    """
    hits = find_neighbours(queries, training, threads, sensitivity, EVALUE)
    family = training.set_index("id")["family"]
    return pd.DataFrame(
        {
            "id": hits["query"].astype(str),
            "family": hits["target"].map(family).astype(str),
            "score": hits["bits"].astype(float),
        }
    )


def nearest(hits: pd.DataFrame) -> pd.DataFrame:
    """The best hit (bits) of every query in each family: columns ``id``, ``family``, ``score``."""
    return hits.groupby(["id", "family"], sort=False, as_index=False)["score"].max()


def vote(hits: pd.DataFrame, voters: int = VOTERS) -> pd.DataFrame:
    """The sum of bits that each family has among a query's best ``voters`` hits."""
    ordered = hits.sort_values("score", ascending=False, kind="stable")
    best = ordered[ordered.groupby("id").cumcount() < voters]
    return best.groupby(["id", "family"], sort=False, as_index=False)["score"].sum()


def majority(queries: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The family with most training domains for every query; the score is its share of them."""
    counts = training["family"].value_counts()
    largest = sorted(counts.index[counts == counts.max()])[0]
    share = counts.max() / len(training)
    return pd.DataFrame(
        {"id": queries["id"].to_numpy(), "family": largest, "score": np.full(len(queries), share)}
    )


def all_scores(
    queries: pd.DataFrame, training: pd.DataFrame, threads: int
) -> dict[str, pd.DataFrame]:
    """The scores of every method of :data:`pfamformer.methods.NEIGHBOURS` for the queries."""
    plain = search_training(queries, training, DEFAULT_SENSITIVITY, threads)
    sensitive = search_training(queries, training, HIGHEST_SENSITIVITY, threads)
    return {
        "mmseqs2": nearest(plain),
        "mmseqs2_sensitive": nearest(sensitive),
        "mmseqs2_vote": vote(sensitive),
        "majority": majority(queries, training),
    }
