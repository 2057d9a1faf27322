"""Residue contacts: pairs of residues of a chain whose Cβ atoms (Cα of glycine) are near."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from pfamformer.command import log
from pfamformer.tasks.structures import Chain, read_structure


def contacts(chain: Chain, max_distance: float) -> np.ndarray:
    """Contacts of a chain; see :func:`pairs_within`."""
    return pairs_within(chain.positions, max_distance)


def pairs_within(positions: np.ndarray, max_distance: float) -> np.ndarray:
    """Pairs of residues nearer than ``max_distance``, shape (contacts, 2), 0-based, sorted.

    Args:
        positions: Å, shape (residues, 3); NaN where unknown.
    """
    seen = np.flatnonzero(~np.isnan(positions).any(axis=1))
    if len(seen) < 2:
        return np.empty((0, 2), dtype=int)
    known = positions[seen]
    pairs = cKDTree(known).query_pairs(max_distance, output_type="ndarray")
    # The tree also gives pairs at exactly that distance.
    distance = np.linalg.norm(known[pairs[:, 0]] - known[pairs[:, 1]], axis=1)
    pairs = np.sort(seen[pairs[distance < max_distance]], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def contact_task(
    paths: Sequence[str | Path], *, max_distance: float, min_length: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables ``task`` and ``contacts`` of the chains of these files, and the rejects.

    ``label`` of a chain has one letter per residue: ``+`` where it was seen, ``-`` where not: pairs
    with a residue that was not seen are unknown, not apart. All chains are in part ``test``. Of
    chains with the same sequence in one file the first is kept.
    """
    rows, pairs, rejects = [], [], []
    for path in paths:
        chains, left_out = read_structure(path)
        rejects += [(str(path), reject.line, reject.reason) for reject in left_out]
        known: set[str] = set()
        for chain in chains:
            if len(chain.sequence) < min_length or chain.sequence in known:
                continue
            known.add(chain.sequence)
            label = "".join("+" if seen else "-" for seen in chain.resolved)
            rows.append((chain.id, chain.sequence, label, np.nan, "test"))
            found = contacts(chain, max_distance) + 1
            pairs.append(
                pd.DataFrame({"id": chain.id, "first": found[:, 0], "second": found[:, 1]})
            )
    log.info("%d chains of %d files, %d contacts", len(rows), len(paths), sum(map(len, pairs)))
    return (
        pd.DataFrame(rows, columns=["id", "sequence", "label", "value", "part"]),
        pd.concat(pairs, ignore_index=True)
        if pairs
        else pd.DataFrame({"id": [], "first": [], "second": []}),
        pd.DataFrame(rejects, columns=["file", "line", "reason"]),
    )
