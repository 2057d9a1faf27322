"""Identity in the seed alignment: identical residues over the shorter ungapped length.

Easel's definition (``esl_dst_XPairId``), which the profmark benchmark and the published Pfam split
follow; every letter counts as a residue, X too. Exact, and cheap: the identical residues of all
pairs are one matrix product per family.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.errors import InputError
from pfamformer.families.domains import domain_id, domains_of
from pfamformer.families.linkage import Components, Linkage
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.stockholm import read_stockholm

#: Code of a gap.
GAP = len(RESIDUES)
_CODES = bytearray([GAP]) * 256
for _code, _letter in enumerate(RESIDUES):
    _CODES[ord(_letter)] = _CODES[ord(_letter.lower())] = _code
# Entries of a one-hot matrix: 128 MB in single precision.
_ONE_HOT = 1 << 25


def seed_alignments(
    seed: str | Path, domains: pd.DataFrame
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each family of a seed file, as far as its rows are in the domain table.

    Args:
        domains: columns ``id`` and ``family``.

    Yields:
        Row numbers in ``domains`` (rows,) and codes (rows, columns), ``uint8``: 0…25 for
        residues, :data:`GAP`.

    Raises:
        InputError: a domain of the table is not in the file.
    """
    row_of = dict(zip(domains["id"], range(len(domains)), strict=True))
    for entry in read_stockholm(seed):
        aligned: dict[int, str] = {}
        for _, domain, _ in domains_of(entry, minimum=1):
            if domain is not None:
                place = domain.protein, domain.start, domain.end
                row = row_of.pop(domain_id(entry.accession, *place), None)
                if row is not None:
                    aligned[row] = domain.aligned
        if aligned:
            text = "".join(aligned.values()).encode("latin-1").translate(_CODES)
            codes = np.frombuffer(text, np.uint8).reshape(len(aligned), -1)
            yield np.array(list(aligned)), codes
    if row_of:
        raise InputError(
            seed,
            f"{len(row_of)} domains of the table are not in it",
            record=f"domain {next(iter(row_of))}",
            remedy="Rerun parse_seed: the table was made from another file",
        )


def ungapped_lengths(codes: np.ndarray) -> np.ndarray:
    """Residues of each row, (rows,)."""
    return (codes != GAP).sum(axis=1)


def identities(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairwise identity of rows of one alignment, 0…1.

    Args:
        first: codes (A, columns).
        second: codes (B, columns).

    Returns:
        Shape (A, B), double precision; 0 where a row has no residue.
    """
    shared = np.intersect1d(np.unique(first), np.unique(second))
    letters = shared[shared != GAP]
    identical_AB = _one_hot(first, letters) @ _one_hot(second, letters).T
    shorter_AB = np.minimum.outer(ungapped_lengths(first), ungapped_lengths(second))
    return identical_AB / np.maximum(shorter_AB, 1)


def _one_hot(codes: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Shape (rows, columns × letters), single precision: sums of ones are exact up to 2^24."""
    return (codes[:, :, None] == letters).reshape(len(codes), -1).astype(np.float32)


def _tiles(codes: np.ndarray) -> list[slice]:
    """Runs of rows whose one-hot matrix stays within 128 MB, whatever the family."""
    rows = max(1, _ONE_HOT // (GAP * max(1, codes.shape[1])))
    return [slice(start, start + rows) for start in range(0, len(codes), rows)]


def single_linkage(codes: np.ndarray, min_identity: float) -> np.ndarray:
    """Components of the rows of an alignment, linked from ``min_identity`` on, (rows,)."""
    found, tiles = Components(len(codes)), _tiles(codes)
    for i, one in enumerate(tiles):
        for other in tiles[i:]:
            labels = np.concatenate([found.labels[one], found.labels[other]])
            if (labels != labels[0]).any():
                a, b = np.nonzero(identities(codes[one], codes[other]) >= min_identity)
                found.link(a + one.start, b + other.start)
    return found.labels


def link_by_alignment(domains: pd.DataFrame, seed: str | Path, min_identity: float) -> Linkage:
    """Components of each family by identity in its seed alignment.

    Args:
        domains: columns ``id`` and ``family``.
    """
    labels = np.full(len(domains), -1, dtype=np.int64)
    for rows, codes in seed_alignments(seed, domains):
        labels[rows] = labels.max() + 1 + single_linkage(codes, min_identity)
    return Linkage(pd.factorize(labels)[0], 0, 0, [])


def nearest_training_identity(
    domains: pd.DataFrame, part: pd.Series, seed: str | Path
) -> np.ndarray:
    """Highest identity of each held-out domain with a training domain of its family.

    Args:
        domains: columns ``id`` and ``family``.
        part: train, dev or test, for each row of ``domains``.

    Returns:
        Shape (domains,); 0 in families without training domains, NaN for training domains.
    """
    train = (part == "train").to_numpy()
    nearest = np.where(train, np.nan, 0.0)
    for rows, codes in seed_alignments(seed, domains):
        known, asked = codes[train[rows]], codes[~train[rows]]
        best = np.zeros(len(asked))
        for one in _tiles(asked):
            for other in _tiles(known):
                found = identities(asked[one], known[other]).max(axis=1)
                best[one] = np.maximum(best[one], found)
        nearest[rows[~train[rows]]] = best
    return nearest
