"""Cluster-balanced corpora: at most a few distinct sequences of each Linclust cluster."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
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

    Returns:
        The ``surplus`` table: ``shard`` and ``row``.
    """
    clusters = linclust(
        chain.from_iterable(MappedShard(folder, shard).texts() for shard in shards),
        min_identity=min_identity,
        min_coverage=min_coverage,
        threads=threads,
    )
    hashes = np.concatenate(
        [np.zeros(0, "<u8"), *(mapped(folder / f"{s['name']}.hashes", "<u8") for s in shards)]
    )
    lost = np.flatnonzero(beyond(clusters, hashes, members))
    starts = np.cumsum([0, *(shard["sequences"] for shard in shards)])
    shard = np.searchsorted(starts, lost, side="right") - 1
    names = np.array([shard["name"] for shard in shards], dtype=object)
    return pd.DataFrame({"shard": names[shard], "row": lost - starts[shard]})
