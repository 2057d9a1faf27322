"""Best chains of motifs to classes: for the encoder ``chain``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pfamformer.config import FinetuneSettings
from pfamformer.model.chain import FAR, NEAR, SKIP, Chain, best_chains
from pfamformer.model.chain_compiled import best_of_all, best_of_few

# A family's lengths are taken to spread at least so much (standard deviation of the logarithm):
# training domains resemble each other more than held-out ones resemble them.
LEAST_SPREAD = 0.2
# The most that a length may speak against a family, nats: fragments exist.
UNLIKELY = -6.0


class ChainHead(nn.Module):
    """Best chain of each class, a factor, and what a class says of a sequence's length.

    Args:
        encoder: whose layout of windows it reads.
    """

    def __init__(self, encoder: Chain, settings: FinetuneSettings) -> None:
        super().__init__()
        self.layout = encoder.places, encoder.kernel
        self.reach = settings.encoder.near, settings.encoder.far
        self.costs = nn.Parameter(torch.tensor([NEAR, FAR, SKIP]))
        # Bits to nats; trained as a logarithm, so that it stays positive.
        self.factor = nn.Parameter(torch.tensor(math.log(math.log(2))))
        # Of the logarithm of a class's lengths: mean, and logarithm of the standard deviation.
        self.length_mean = nn.Parameter(torch.full((len(encoder.windows),), math.log(100)))
        self.length_spread = nn.Parameter(torch.zeros(len(encoder.windows)))
        rank = torch.empty(len(encoder.order), dtype=torch.long)
        rank[torch.tensor(encoder.order)] = torch.arange(len(encoder.order))
        #: Where each class lies among those sorted by their number of windows.
        self.register_buffer("rank", rank, persistent=False)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        places, kernel = self.layout
        parts = x_BLD.transpose(1, 2).split(places, dim=1)
        score_BC = best_chains(parts, kernel, *self.reach, self.costs)[:, self.rank]
        return score_BC * self.factor.exp() + self._length(residue_BL)

    @torch.no_grad()
    def compiled(self, encoder: Chain, tokens_BL: Tensor, residue_BL: Tensor) -> Tensor:
        """The same class logits (B, C) from tokens, on a CPU, without gradients, and faster."""
        chains = encoder.compiled(self.reach, self.costs)
        score_BC = best_of_all(encoder.letters(tokens_BL), *chains)
        score_BC = torch.from_numpy(score_BC)[:, self.rank]
        return score_BC * self.factor.exp() + self._length(residue_BL)

    @torch.no_grad()
    def compiled_few(
        self, encoder: Chain, tokens_BL: Tensor, residue_BL: Tensor, classes_BK: Tensor
    ) -> Tensor:
        """Logits of a few classes of each sequence (B, K), as :meth:`compiled`."""
        ranks = self.rank[classes_BK].numpy()
        chains = encoder.compiled(self.reach, self.costs)
        score_BK = best_of_few(encoder.letters(tokens_BL), ranks, *chains)
        length_BK = self._length(residue_BL).gather(1, classes_BK)
        return torch.from_numpy(score_BK) * self.factor.exp() + length_BK

    def few(
        self, places: list[Tensor], row_N: Tensor, residue_BL: Tensor, classes_BK: Tensor
    ) -> Tensor:
        """Logits of a few classes of each sequence (B, K), from :meth:`Chain.responses`."""
        score_1N = best_chains(places, self.layout[1], *self.reach, self.costs)
        score_BK = score_1N[0, row_N].view_as(classes_BK)
        return score_BK * self.factor.exp() + self._length(residue_BL).gather(1, classes_BK)

    @torch.no_grad()
    def expect_lengths(self, lengths: Sequence[np.ndarray]) -> None:
        """Start from the lengths (residues) of each class's training domains."""
        for label, found in enumerate(lengths):
            logarithm = np.log(found)
            self.length_mean[label] = float(logarithm.mean())
            self.length_spread[label] = 0.5 * math.log(logarithm.var() + LEAST_SPREAD**2)

    def _length(self, residue_BL: Tensor) -> Tensor:
        """What each class says of the sequences' lengths (B, C): log-likelihoods, nats."""
        length_B1 = residue_BL.sum(1, keepdim=True).clamp(min=1).float().log()
        away_BC = (length_B1 - self.length_mean) / self.length_spread.exp()
        return (-0.5 * away_BC**2 - self.length_spread).clamp(min=UNLIKELY)
