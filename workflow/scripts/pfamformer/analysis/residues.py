"""Properties of the 20 residues, and the order in which BLOSUM62 lists them.

Sources: Taylor, J. Theor. Biol. 119 (1986); Livingstone & Barton, CABIOS 9 (1993), table of
properties; Henikoff & Henikoff, PNAS 89 (1992).
"""

from __future__ import annotations

import numpy as np
from Bio.Align import substitution_matrices

from pfamformer.sequences.alphabet import INDEX

#: Residues in BLOSUM62's order.
BLOSUM_ORDER = "ARNDCQEGHILKMFPSTWYV"

#: Taylor's sets; they overlap, as figure 9 shows.
PROPERTIES: dict[str, str] = {
    "hydrophobic": "ILVCAGMFYWHKT",
    "polar": "YWHKREQDNST",
    "small": "VCAGDNSTP",
    "tiny": "AGS",
    "aliphatic": "ILV",
    "aromatic": "FYWH",
    "charged": "HKRED",
    "positive": "HKR",
    "negative": "ED",
}

#: Groups without overlap, for colours: each residue belongs to one.
GROUPS: dict[str, str] = {
    "aliphatic, sulphur": "AVILMC",
    "aromatic": "FWY",
    "positive": "HKR",
    "negative": "DE",
    "polar": "STNQ",
    "special": "GP",
}


def blosum62() -> np.ndarray:
    """BLOSUM62 in :data:`BLOSUM_ORDER`, shape (20, 20), half-bits."""
    matrix = substitution_matrices.load("BLOSUM62")
    return np.array([[matrix[a, b] for b in BLOSUM_ORDER] for a in BLOSUM_ORDER])


def residue_rows(embedding_VD: np.ndarray) -> np.ndarray:
    """The rows of a token embedding that are standard residues, in BLOSUM62's order, (20, D)."""
    return embedding_VD[[INDEX[letter] for letter in BLOSUM_ORDER]]


def group_of(letters: str = BLOSUM_ORDER) -> list[str]:
    """The group of each residue."""
    group = {letter: name for name, members in GROUPS.items() for letter in members}
    return [group[letter] for letter in letters]
