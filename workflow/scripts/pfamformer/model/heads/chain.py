"""Best chains of motifs to classes: for the encoder ``chain``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pfamformer.config import FinetuneSettings
from pfamformer.model.chain import FAR, NEAR, SKIP, Chain, best_chains

# Lengths are told apart by smooth bins on a logarithmic scale: a dozen from 10 to 1,000 residues.
SHORTEST, LONGEST, BINS = 10, 1000, 12


class ChainHead(nn.Module):
    """Best chain of each class, a factor, and what a class says of a sequence's length.

    Args:
        encoder: whose layout of windows it reads.
    """

    def __init__(self, encoder: Chain, settings: FinetuneSettings) -> None:
        super().__init__()
        self.layout = encoder.places(), encoder.kernel
        self.reach = settings.encoder.near, settings.encoder.far
        self.costs = nn.Parameter(torch.tensor([NEAR, FAR, SKIP]))
        # Bits to nats; trained as a logarithm, so that it stays positive.
        self.factor = nn.Parameter(torch.tensor(math.log(math.log(2))))
        self.length = nn.Linear(BINS, len(encoder.windows))
        rank = torch.empty(len(encoder.order), dtype=torch.long)
        rank[torch.tensor(encoder.order)] = torch.arange(len(encoder.order))
        #: Where each class lies among those sorted by their number of windows.
        self.register_buffer("rank", rank, persistent=False)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        places, kernel = self.layout
        parts = x_BLD.transpose(1, 2).split(places, dim=1)
        score_BC = best_chains(parts, kernel, *self.reach, self.costs)[:, self.rank]
        return score_BC * self.factor.exp() + self.length(length_bins(residue_BL))

    def few(
        self, places: list[Tensor], row_N: Tensor, residue_BL: Tensor, classes_BK: Tensor
    ) -> Tensor:
        """Logits of a few classes of each sequence (B, K), from :meth:`Chain.responses`."""
        score_1N = best_chains(places, self.layout[1], *self.reach, self.costs)
        score_BK = score_1N[0, row_N].view_as(classes_BK)
        length_BC = self.length(length_bins(residue_BL))
        return score_BK * self.factor.exp() + length_BC.gather(1, classes_BK)


def length_bins(residue_BL: Tensor) -> Tensor:
    """Membership of each sequence's length in each bin (B, BINS), Gaussian in its logarithm."""
    length_B1 = residue_BL.sum(1, keepdim=True).clamp(min=1).float().log()
    centre = torch.linspace(math.log(SHORTEST), math.log(LONGEST), BINS, device=length_B1.device)
    return torch.exp(-0.5 * ((length_B1 - centre) / (centre[1] - centre[0])) ** 2)
