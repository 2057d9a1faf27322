"""The residues that a network is judged on: windows of proteins around held-out domains.

A protein with a held-out domain is in no protein corpus, and its held-out domain in no domain
corpus, so nothing inside it was trained on; other domains of it may have been, and are told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory

#: Where a residue lies.
OUTSIDE, HELD_OUT, TRAINING = 0, 1, 2


@dataclass(frozen=True)
class Window:
    """A stretch of a protein.

    Attributes:
        protein: accession with version.
        start: residues before it.
        tokens: its residue tokens (L,), ``uint8``.
        region: of each residue (L,): :data:`OUTSIDE` of every known domain, in a :data:`HELD_OUT`
            domain, or in a :data:`TRAINING` domain.
    """

    protein: str
    start: int
    tokens: np.ndarray
    region: np.ndarray


def draw_windows(
    domains: pd.DataFrame,
    split: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    most: int,
    max_length: int,
    seed: int,
) -> list[Window]:
    """Windows around one held-out domain of each of at most ``most`` proteins.

    Args:
        domains, split, proteins: the tables of these names.
        max_length: residues of a window at most; the domain lies in its middle where it can.
    """
    part = domains["id"].map(split.set_index("id")["part"])
    table = domains.assign(held_out=(part != "train").to_numpy())
    stream = np.random.default_rng(seed)
    sequences = proteins.set_index("protein")["sequence"]
    held_out = table[table["held_out"] & table["protein"].isin(sequences.index)]
    names = sorted(held_out["protein"].unique())
    if len(names) > most:
        names = sorted(stream.choice(names, size=most, replace=False))
    by_protein = dict(list(table.groupby("protein", sort=False)))
    windows = []
    for name in names:
        found = by_protein[name]
        chosen = found[found["held_out"]].iloc[0]
        middle = (chosen["start"] + chosen["end"]) // 2
        start = max(0, min(middle - max_length // 2, len(sequences[name]) - max_length))
        stretch = slice(start, start + max_length)
        region = _regions(found, len(sequences[name]))[stretch]
        windows.append(Window(name, start, encode(sequences[name][stretch]), region))
    return windows


def _regions(found: pd.DataFrame, length: int) -> np.ndarray:
    region = np.full(length, OUTSIDE, dtype=np.uint8)
    # Held-out domains come last: where two overlap, the residue counts as unseen.
    for domain in found.sort_values("held_out").itertuples():
        region[domain.start - 1 : domain.end] = HELD_OUT if domain.held_out else TRAINING
    return region


def sequences_of(windows: Sequence[Window]) -> InMemory:
    """The windows as a data set, in their order."""
    return InMemory([window.tokens for window in windows])
