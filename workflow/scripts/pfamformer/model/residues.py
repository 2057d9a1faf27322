"""A classifier of residues: an encoder and one linear map of each residue's final embedding."""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import HeadSettings, NetworkSettings
from pfamformer.model.classifier import make_encoder
from pfamformer.model.encoder import initialise


class ResidueClassifier(nn.Module):
    """Tokens to logits of the states of each position.

    Args:
        states: number of states.
    """

    def __init__(
        self, network: NetworkSettings | None, states: int, settings: HeadSettings
    ) -> None:
        super().__init__()
        self.encoder, width = make_encoder(network, settings)
        self.head = nn.Sequential(nn.Dropout(settings.head_dropout), nn.Linear(width, states))
        self.head.apply(initialise)
        self.mixes = nn.ModuleDict()

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Logits (B, L, S) of padded tokens (B, L), special tokens included."""
        return self.head(self.encoder(tokens_BL.to(next(self.parameters()).device)))
