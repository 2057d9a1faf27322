"""Profiles of all training domains, and of half of each family at a time.

A profile scores its own training domains far better than new members of the family. What scores
mean is therefore learnt from profiles of one half of a family on proteins of the other half, and
the halves are chosen as unlike each other as the alignment allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyhmmer.plan7 import HMM, Background, Builder

from pfamformer.methods.profile_hmm import AMINO, alignment_of, training_rows
from pfamformer.sequences.stockholm import read_stockholm

# Proteins of a family from which on it is halved: two give each half a profile.
DIVISIBLE = 4
# Power iterations: the coordinate need not be exact, any dissimilar halves will do.
ITERATIONS = 30


@dataclass(frozen=True)
class AlignedFamily:
    """The training rows of a family.

    Attributes:
        proteins: of the rows.
        rows: aligned residues of each, gaps as ``-``, all of one length.
    """

    family: str
    proteins: Sequence[str]
    rows: Sequence[str]


def halves(family: AlignedFamily) -> dict[str, int]:
    """Half (0 or 1) of each protein; empty where there are too few.

    Proteins are ordered by their first principal coordinate, rows of the alignment taken as one-hot
    vectors, and divided in the middle.
    """
    proteins = sorted(set(family.proteins))
    if len(proteins) < DIVISIBLE:
        return {}
    codes = np.array([list(row.encode()) for row in family.rows], dtype=np.uint8)
    letters = np.array([letter for letter in np.unique(codes) if letter != ord("-")])
    x_NX = (codes[:, :, None] == letters).reshape(len(codes), -1).astype(np.float32)
    x_NX -= x_NX.mean(0)
    # A start that favours no row and is not orthogonal to the answer.
    v_N = np.cos(np.arange(len(codes), dtype=np.float32))
    for _ in range(ITERATIONS):
        v_N = x_NX @ (x_NX.T @ v_N)
        v_N /= max(float(np.linalg.norm(v_N)), 1e-30)
    number = {protein: i for i, protein in enumerate(proteins)}
    place = np.array([number[protein] for protein in family.proteins])
    mean = np.bincount(place, v_N, len(proteins)) / np.bincount(place, minlength=len(proteins))
    order = np.argsort(mean.round(6), kind="stable")
    half = np.zeros(len(proteins), dtype=int)
    half[order[len(proteins) // 2 :]] = 1
    return dict(zip(proteins, half.tolist(), strict=True))


def aligned_families(seed_file: str | Path, train: set[str], minimum: int) -> list[AlignedFamily]:
    """The training rows of every family of a seed file that has any.

    Args:
        train: ids of the training domains.
        minimum: shortest domain, in residues, as when the domain table was read.
    """
    found = []
    for entry in read_stockholm(seed_file):
        rows = training_rows(entry, train, minimum)
        if rows:
            _, proteins, texts = zip(*rows, strict=True)
            found.append(AlignedFamily(entry.accession, proteins, texts))
    return found


def profile(family: AlignedFamily, without: set[str], builder: Builder) -> HMM:
    """The profile of a family's rows that are not of these proteins."""
    kept = [
        (f"row{i}", row)
        for i, (protein, row) in enumerate(zip(family.proteins, family.rows, strict=True))
        if protein not in without
    ]
    alignment = alignment_of(family.family, kept)
    hmm, _, _ = builder.build_msa(alignment.digitize(AMINO), Background(AMINO))
    return hmm


def quick_builder(seed: int) -> Builder:
    """A builder that hardly calibrates: E-values are not asked for, and they cost most."""
    return Builder(AMINO, seed=seed, EmN=10, EvN=10, EfN=10)


def all_profiles(
    families: Iterable[AlignedFamily], seed: int
) -> tuple[list[HMM], tuple[list[HMM], list[HMM]], dict[tuple[str, str], int]]:
    """Profiles of everything, those without either half, and the half of (family, protein)."""
    builder = quick_builder(seed)
    whole: list[HMM] = []
    without: tuple[list[HMM], list[HMM]] = ([], [])
    half_of: dict[tuple[str, str], int] = {}
    for family in families:
        half = halves(family)
        whole.append(profile(family, set(), builder))
        for number, hmms in enumerate(without):
            left_out = {protein for protein, its in half.items() if its == number}
            hmms.append(profile(family, left_out, builder) if half else whole[-1])
        half_of |= {(family.family, protein): number for protein, number in half.items()}
    return whole, without, half_of
