"""A classifier of pairs of residues: an encoder and one symmetric form of two final embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import HeadSettings, NetworkSettings
from pfamformer.model.classifier import make_encoder
from pfamformer.model.encoder import initialise

# Distances along the chain from here on share a bias: contacts beyond are about equally rare.
_FARTHEST = 64


class PairClassifier(nn.Module):
    """Tokens to one logit of each pair of positions, the same in both directions.

    A weighted product of the two projected embeddings, as TAPE's head after its symmetrisation
    (Rao et al. 2019), plus a bias of their distance along the chain.

    Args:
        share: of training pairs that touch; an untrained network says so of every pair.
    """

    def __init__(
        self, network: NetworkSettings | None, share: float, settings: HeadSettings
    ) -> None:
        super().__init__()
        self.encoder, width = make_encoder(network, settings)
        self.head = PairHead(width, share, settings.head_dropout)
        self.mixes = nn.ModuleDict()

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Logits (B, L, L) of padded tokens (B, L), special tokens included."""
        return self.head(self.encoder(tokens_BL.to(next(self.parameters()).device)))


class PairHead(nn.Module):
    """Final embeddings to logits of pairs."""

    def __init__(self, width: int, share: float, dropout: float) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.project.apply(initialise)
        # A mean over dimensions: its size does not depend on their number.
        self.weight_D = nn.Parameter(torch.full((width,), 1 / width))
        logit = torch.logit(torch.tensor(share), eps=1e-6)
        self.bias_S = nn.Parameter(logit.repeat(_FARTHEST + 1))

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Logits (B, L, L) of embeddings (B, L, D)."""
        place_L = torch.arange(x_BLD.shape[1], device=x_BLD.device)
        apart_LL = (place_L[:, None] - place_L).abs().clamp(max=_FARTHEST)
        p_BLD = self.project(x_BLD)
        # Pairs are ranked: eight bits of a bfloat16 would make many of them equal.
        with torch.autocast(x_BLD.device.type, enabled=False):
            p_BLD = p_BLD.float()
            return (p_BLD * self.weight_D) @ p_BLD.transpose(1, 2) + self.bias_S[apart_LL]
