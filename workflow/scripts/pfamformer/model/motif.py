"""A wide and shallow convolutional encoder that can start from what profiles know.

One layer of filters reads residues in the space of BLOSUM62; pooled by maximum, each filter tells
how well a sequence's best window fits one motif (as DeepFam, Seo et al. 2018). Few domains are too
few to find such motifs by gradient: filters can therefore start as windows of position-specific
scores of each family's *training* alignment, a prior that training then changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from Bio.Align import substitution_matrices
from torch import Tensor, nn

from pfamformer.config import MotifSettings
from pfamformer.sequences.alphabet import INDEX, PAD, STANDARD, TOKENS

# BLOSUM62 is in half bits and reaches 11: a quarter of it keeps activations near 1.
SCALE = 0.25


class Motif(nn.Module):
    """BLOSUM62 embeddings and one convolution: ``motifs`` filters for each class."""

    def __init__(self, settings: MotifSettings, classes: int) -> None:
        super().__init__()
        self.motifs, self.kernel = settings.motifs, settings.kernel
        self.width = settings.motifs * classes
        self.embedding = nn.Parameter(blosum_embedding())
        self.filters = nn.Conv1d(len(STANDARD), self.width, settings.kernel, padding="same")
        nn.init.normal_(self.filters.weight, std=(len(STANDARD) * settings.kernel) ** -0.5)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """How well each motif fits around each position: (B, L, width)."""
        present_BL1 = (tokens_BL != PAD)[..., None]
        x_BLD = F.embedding(tokens_BL, self.embedding) * present_BL1
        return self.filters(x_BLD.transpose(1, 2)).transpose(1, 2)

    @torch.no_grad()
    def start_from(
        self, scores: Mapping[str, np.ndarray], background: np.ndarray, families: Sequence[str]
    ) -> None:
        """Set the filters of each class to windows of its family's position-specific scores.

        Args:
            scores: by family, log-odds (bits) of each standard residue in token order at each
                position, shape (positions, 20); see :func:`pfamformer.methods.priors.log_odds`.
            background: the frequencies behind them, shape (20,).
            families: the classes in order.
        """
        # A filter meets embeddings, not residues: solve for the one whose products are the scores.
        rows = torch.tensor([INDEX[letter] for letter in STANDARD])
        inverse = torch.linalg.pinv(self.embedding[rows].double())
        for number, family in enumerate(families):
            for place, window in enumerate(
                windows(scores[family], background, self.kernel, self.motifs)
            ):
                found = inverse @ torch.from_numpy(window.T)
                self.filters.weight[number * self.motifs + place] = found / found.norm()
        self.filters.bias.zero_()


def blosum_embedding() -> Tensor:
    """One row per token (33, 20): its BLOSUM62 scores, scaled; zero where BLOSUM62 has none."""
    matrix = substitution_matrices.load("BLOSUM62")
    known = set(matrix.alphabet) - {"*"}
    return torch.tensor(
        [
            [SCALE * matrix[token][letter] if token in known else 0.0 for letter in STANDARD]
            for token in TOKENS
        ]
    )


def windows(
    scores: np.ndarray, background: np.ndarray, kernel: int, count: int
) -> list[np.ndarray]:
    """The ``count`` windows with most information, starts at least half a window apart.

    Where the profile has fewer, the best ones repeat. A profile shorter than the window is filled
    with zeros.

    Args:
        scores: log-odds (positions, 20), bits.
        background: frequencies of the residues, shape (20,).

    Returns:
        Arrays of shape (kernel, 20).
    """
    positions = len(scores)
    # Expected score of a residue drawn from the position itself.
    chance = np.exp2(scores) * background
    information = (chance / chance.sum(1, keepdims=True) * scores).sum(1)
    totals = np.convolve(information, np.ones(min(kernel, positions)), "valid")
    starts: list[int] = []
    for start in np.argsort(-totals, kind="stable"):
        if all(abs(start - taken) >= kernel // 2 for taken in starts):
            starts.append(int(start))
        if len(starts) == count:
            break
    chosen = [starts[i % len(starts)] for i in range(count)]
    padded = np.pad(scores, ((0, max(0, kernel - positions)), (0, 0)))
    return [padded[start : start + kernel] for start in chosen]
