"""Folds from composition: a kernel machine on spectra of short words, near and spaced.

Domains of a fold without common ancestry have no alignment, yet alike shares of residues, of pairs
at the distances of a helix turn or a strand, and of hydrophobic patterns. Each spectrum counts
words of a (reduced) alphabet; square roots of shares make inner products Bhattacharyya's
coefficients. A Gaussian kernel over all of them with ridge regression on the folds has one solution
and no seed. (Spectrum kernels: Leslie et al., PSB 2002; composition for folds: Dubchak et al., PNAS
92, 1995.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from pfamformer.command import log
from pfamformer.sequences.alphabet import STANDARD

# Residues that replace each other: small, hydroxyl, acid and amide, basic, aliphatic, aromatic; and
# the hydrophobic pattern with what breaks it.
_ALIKE = ("AG", "ST", "DE", "NQ", "KRH", "C", "P", "VIL", "M", "FYW")
_PATTERN = ("AGSTP", "DENQKRH", "VILMFYWC")
#: (groups of residues, places of a word's letters): 3 to 4 is a turn of a helix, 2 a strand's.
SPECTRA: tuple[tuple[Sequence[str], tuple[int, ...]], ...] = (
    (STANDARD, (0,)), (STANDARD, (0, 1)), (STANDARD, (0, 2)), (STANDARD, (0, 3)),
    (STANDARD, (0, 4)), (_ALIKE, (0, 1, 2)), (_ALIKE, (0, 3, 4)), (_PATTERN, (0, 1, 2, 3, 4)),
    (_PATTERN, (0, 1, 3, 4, 7)), (_PATTERN, (0, 2, 4, 6)),
)  # fmt: skip
# A natural logarithm of length beside square roots of shares: a third of it weighs as much as a
# spectrum.
_LENGTH = 0.3
#: Widths of the kernel, in median squared lengths of a centred vector, and ridges that are tried.
WIDTHS, RIDGES = (0.5, 1.0, 2.0), (0.03, 0.1, 0.3)


def spectrum(sequence: str, groups: Sequence[str], places: Sequence[int]) -> np.ndarray:
    """Square roots of the shares of all words, (words,); zero where the sequence is too short.

    Args:
        groups: residues that count as one letter; all others share one more letter.
        places: of a word's letters, relative to its first.
    """
    letters = np.full(256, len(groups), dtype=np.int64)
    for number, group in enumerate(groups):
        letters[list(group.encode())] = number
    read = letters[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]
    count, size = len(read) - max(places), len(groups) + 1
    if count <= 0:
        return np.zeros(size ** len(places), dtype=np.float32)
    words = np.zeros(count, dtype=np.int64)
    for place in places:
        words = words * size + read[place : place + count]
    return np.sqrt(np.bincount(words, minlength=size ** len(places)) / count).astype(np.float32)


def vectors(sequences: Sequence[str]) -> np.ndarray:
    """All spectra and the length of each sequence, (sequences, features), float32."""
    return np.stack(
        [
            np.concatenate([*(spectrum(s, *made) for made in SPECTRA), [_LENGTH * np.log(len(s))]])
            for s in sequences
        ]
    ).astype(np.float32)


def gaussian(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """exp(−|x − y|² / width) of all pairs, (first, second), in place where it is large."""
    kernel = first @ second.T
    kernel *= 2
    kernel -= np.square(first).sum(1)[:, None]
    kernel -= np.square(second).sum(1)[None]
    np.minimum(kernel, 0, out=kernel)
    kernel /= width
    return np.exp(kernel, out=kernel)


@dataclass(frozen=True)
class KernelMachine:
    """Ridge regression on one column per class, and the inverse temperature of its softmax.

    Args:
        mean: of the training vectors, (features,).
        training: training vectors, centred, (rows, features).
        weights: (rows, classes).
    """

    classes: tuple[str, ...]
    mean: np.ndarray
    training: np.ndarray
    weights: np.ndarray
    width: float
    ridge: float
    sharpness: float

    def log_probabilities(self, found: np.ndarray) -> np.ndarray:
        """Of each class for these vectors, (rows, classes)."""
        scores = gaussian(found - self.mean, self.training, self.width) @ self.weights
        return log_softmax(self.sharpness * scores, axis=1)


def fit(
    training: np.ndarray, labels: Sequence[str], dev: np.ndarray, truth: Sequence[str]
) -> KernelMachine:
    """Learn; width and ridge are those with the most right answers on dev.

    Args:
        training, dev: of :func:`vectors`.
        labels, truth: classes of both.
    """
    classes, column = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    target = np.zeros((len(labels), len(classes)), dtype=np.float32)
    target[np.arange(len(labels)), column] = 1
    mean = training.mean(0)
    centred = training - mean
    unit = float(np.median(np.square(centred).sum(1)))
    best = None
    for width in (unit * size for size in WIDTHS):
        across = gaussian(dev - mean, centred, width)
        for ridge in RIDGES:
            weights = solve(centred, target, width, ridge)
            scores = across @ weights
            right = float((classes[scores.argmax(1)] == np.asarray(truth, dtype=object)).mean())
            log.info("width %.3g, ridge %.3g: %.1f %% of dev", width / unit, ridge, 100 * right)
            if best is None or right > best[0]:
                best = right, width, ridge, weights, scores
    _, width, ridge, weights, scores = best
    sharpness = _sharpness(scores, classes, truth)
    return KernelMachine(tuple(classes), mean, centred, weights, width, ridge, sharpness)


def solve(centred: np.ndarray, target: np.ndarray, width: float, ridge: float) -> np.ndarray:
    """(K + ridge·I)⁻¹ target, (rows, classes)."""
    kernel = gaussian(centred, centred, width)
    kernel[np.diag_indices_from(kernel)] += ridge
    return cho_solve(cho_factor(kernel, overwrite_a=True, check_finite=False), target)


def _sharpness(scores: np.ndarray, classes: np.ndarray, truth: Sequence[str]) -> float:
    """The inverse temperature with the highest likelihood on dev."""
    place = {name: i for i, name in enumerate(classes)}
    rows = [i for i, name in enumerate(truth) if name in place]
    columns = [place[truth[i]] for i in rows]
    if not rows:
        return 1.0

    def loss(exponent: float) -> float:
        return -float(log_softmax(np.exp(exponent) * scores, axis=1)[rows, columns].sum())

    # From e⁻² to e⁵: scores lie between 0 and 1, of which hundreds of classes share a softmax.
    return float(np.exp(minimize_scalar(loss, bounds=(-2, 5), method="bounded").x))
