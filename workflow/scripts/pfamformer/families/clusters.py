"""Cluster-balanced corpora: at most a few distinct sequences of each Linclust cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfamformer.families.similarity import linclust
from pfamformer.sequences.shards import MappedShard, mapped


def beyond(clusters: np.ndarray, hashes: np.ndarray, members: int) -> np.ndarray:
    """Sequences beyond the first ``members`` distinct ones of their cluster, (sequences,), bool.

    The first are those with the smallest hashes: a random choice that does not depend on the order.
    """
    order = np.lexsort([hashes, clusters])
    cluster, hash_ = clusters[order], hashes[order]
    first = np.diff(cluster, prepend=-1) != 0
    new = first | (np.diff(hash_, prepend=hash_[:1]) != 0)
    # Distinct hashes so far, less those before the cluster began.
    so_far = np.cumsum(new)
    rank = so_far - np.maximum.accumulate(np.where(first, so_far, 0))
    found = np.empty(len(order), dtype=bool)
    found[order] = rank >= members
    return found


def surplus_members(
    folder: Path,
    shards: Sequence[dict[str, Any]],
    without: Mapping[str, np.ndarray],
    *,
    min_identity: float,
    min_coverage: float,
    members: int,
    threads: int,
) -> pd.DataFrame:
    """Rows of the shards of a corpus part that cluster-balanced sampling leaves out.

    Args:
        folder: the training part of the corpus.
        shards: entries of its shards.
        without: rows by name of their shard that are left out anyway. They belong to no cluster:
            one of them must not stand for a cluster whose other members are read.

    Returns:
        The ``surplus`` table: ``shard`` and ``row``.
    """
    left = [_rows_left(shard, without) for shard in shards]
    clusters = linclust(
        _texts(folder, shards, left),
        min_identity=min_identity,
        min_coverage=min_coverage,
        threads=threads,
    )
    hashes = [
        mapped(folder / f"{shard['name']}.hashes", "<u8")[rows]
        for shard, rows in zip(shards, left, strict=True)
    ]
    lost = beyond(clusters, np.concatenate([np.zeros(0, "<u8"), *hashes]), members)
    names = np.repeat([shard["name"] for shard in shards], [len(rows) for rows in left])
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *left])
    return pd.DataFrame({"shard": names[lost].astype(object), "row": rows[lost]})


def _rows_left(shard: dict[str, Any], without: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.delete(np.arange(shard["sequences"]), without.get(shard["name"], []))


def _texts(
    folder: Path, shards: Sequence[dict[str, Any]], left: Sequence[np.ndarray]
) -> Iterator[str]:
    for shard, rows in zip(shards, left, strict=True):
        chosen = np.zeros(shard["sequences"], dtype=bool)
        chosen[rows] = True
        yield from compress(MappedShard(folder, shard).texts(), chosen)
