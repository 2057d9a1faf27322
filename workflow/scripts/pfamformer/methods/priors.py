"""What the profile HMMs of the training domains lend to a network: scores, and drawn sequences.

Nothing here reads a held-out domain: profiles are built from the training part of the same split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pyhmmer.plan7 import HMM, HMMFile

from pfamformer.config import ChainSettings, FinetuneSettings
from pfamformer.errors import InputError
from pfamformer.model.chain import Chain, windows_of
from pfamformer.model.classifier import Classifier
from pfamformer.model.heads.motif import MotifHead
from pfamformer.model.motif import Motif
from pfamformer.sequences.alphabet import INDEX, STANDARD

# Added to emission probabilities: a residue that a profile never emits costs 13 bits at most.
PSEUDO = 1e-4
# HMMER's order of the seven transitions out of a node.
MATCH, INSERT, DELETE = 0, 1, 2
_OUT = {MATCH: slice(0, 3), INSERT: slice(3, 5), DELETE: slice(5, 7)}
_NEXT = {
    MATCH: np.array([MATCH, INSERT, DELETE]),
    INSERT: np.array([MATCH, INSERT]),
    DELETE: np.array([MATCH, DELETE]),
}


def read_profiles(path: str | Path) -> dict[str, HMM]:
    """Profiles by family."""
    with HMMFile(path) as file:
        return {hmm.name: hmm for hmm in file}


def emissions(hmm: HMM, kind: str = "match") -> np.ndarray:
    """Probability of each standard residue, token order, at nodes 0 … M: shape (M + 1, 20)."""
    order = [hmm.alphabet.symbols.index(letter) for letter in STANDARD]
    found = np.array(getattr(hmm, f"{kind}_emissions"), dtype=float)[:, order]
    return found / found.sum(1, keepdims=True)


def log_odds(hmm: HMM, background: np.ndarray) -> np.ndarray:
    """Scores (bits) of each standard residue at each match position, shape (M, 20).

    Args:
        background: frequency of each standard residue, shape (20,).
    """
    return np.log2((emissions(hmm)[1:] + PSEUDO) / background)


def draw(hmm: HMM, count: int, stream: np.random.Generator) -> list[str]:
    """Sequences emitted by a profile from its first to its last position, as ``hmmemit`` does.

    All sequences walk through the profile together, one transition at a time.
    """
    match, insert = emissions(hmm).cumsum(1), emissions(hmm, "insert").cumsum(1)
    transitions = np.array(hmm.transition_probabilities, dtype=float)
    node = np.zeros(count, dtype=int)
    state = np.full(count, MATCH)
    letters = np.array([*STANDARD, ""])
    columns = []
    while (walking := node <= hmm.M).any():
        chance = stream.random((2, count))
        following = state.copy()
        for kind, out in _OUT.items():
            rows = walking & (state == kind)
            share = transitions[node[rows], out].cumsum(1)
            share /= share[:, -1:]
            following[rows] = _NEXT[kind][(chance[0, rows, None] >= share).sum(1)]
        state = following
        node = node + (walking & (state != INSERT))
        emitted = np.full(count, len(STANDARD))
        for kind, table in ((MATCH, match), (INSERT, insert)):
            rows = walking & (state == kind) & (node <= hmm.M)
            found = (chance[1, rows, None] >= table[node[rows]]).sum(1)
            emitted[rows] = np.minimum(found, len(STANDARD) - 1)
        columns.append(letters[emitted])
    return ["".join(row) for row in np.array(columns).T]


def blur(sequences: Sequence[str], most: float, stream: np.random.Generator) -> list[str]:
    """Replace a share of each sequence's residues, drawn from 0 to ``most``, by random ones."""
    letters = np.array(list(STANDARD))
    found = []
    for sequence in sequences:
        residues = np.array(list(sequence))
        hit = stream.random(len(residues)) < stream.random() * most
        residues[hit] = stream.choice(letters, size=int(hit.sum()))
        found.append("".join(residues))
    return found


def chain_windows(
    settings: FinetuneSettings, path: Path | None, families: Sequence[str]
) -> list[int] | None:
    """Windows of each family's profile for the encoder ``chain``; None for any other."""
    if not isinstance(settings.encoder, ChainSettings):
        return None
    profiles = _profiles(path, families)
    positions = {family: profiles[family].M for family in families}
    return windows_of(positions, families, settings.encoder.kernel)


def _profiles(path: str | Path, families: Sequence[str]) -> dict[str, HMM]:
    profiles = read_profiles(path)
    missing = [family for family in families if family not in profiles]
    if missing:
        raise InputError(
            path, f"no profile of {', '.join(missing[:5])}", remedy="Delete it and rerun"
        )
    return profiles


def lend(
    model: Classifier,
    settings: FinetuneSettings,
    path: Path,
    families: Sequence[str],
    tokens: np.ndarray,
    lengths: Sequence[np.ndarray] | None = None,
) -> list[tuple[str, str]]:
    """Start a network of motifs from profiles where it asks for that, and draw sequences.

    Args:
        path: profiles of the training domains.
        families: the classes in order.
        tokens: residue tokens of all training domains, for the background frequencies.
        lengths: residues of the training domains of each family, for a chain of motifs.

    Returns:
        ``settings.emitted`` sequences of every family, each with its family.

    Raises:
        InputError: a family has no profile.
    """
    profiles = _profiles(path, families)
    counts = np.bincount(tokens, minlength=len(INDEX))[[INDEX[c] for c in STANDARD]]
    background = counts / counts.sum()
    scores = {family: log_odds(profiles[family], background) for family in families}
    if isinstance(model.encoder, Chain):
        model.encoder.start_from(scores, families)
        if lengths is not None:
            model.head.expect_lengths(lengths)
    if isinstance(model.encoder, Motif) and settings.encoder.prior == "profiles":
        model.encoder.start_from(scores, background, families)
        if isinstance(model.head, MotifHead):
            model.head.trust_own_motifs(model.encoder.motifs)
    drawn = []
    for number, family in enumerate(families):
        stream = np.random.default_rng([settings.seed, number])
        found = draw(profiles[family], settings.emitted, stream) if settings.emitted else []
        if settings.emitted_noise:
            found = blur(found, settings.emitted_noise, stream)
        # A profile may skip all of its positions, though hardly ever.
        drawn += [(sequence, family) for sequence in found if sequence]
    return drawn
