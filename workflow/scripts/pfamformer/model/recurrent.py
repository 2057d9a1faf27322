"""The recurrent encoder that TAPE compares with: two stacked LSTMs, one in each direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import LstmSettings
from pfamformer.sequences.alphabet import PAD, TOKENS


class Lstm(nn.Module):
    """Forward and backward LSTM stacks that meet only at the end (Rao et al. 2019)."""

    def __init__(self, settings: LstmSettings) -> None:
        super().__init__()
        self.width = 2 * settings.hidden
        self.embedding = nn.Embedding(len(TOKENS), settings.width)
        self.forwards, self.backwards = (
            nn.LSTM(settings.width, settings.hidden, settings.layers, batch_first=True)
            for _ in range(2)
        )

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Final embeddings (B, L, 2·hidden) of padded tokens (B, L), padding at the end."""
        x_BLD = self.embedding(tokens_BL)
        reverse_BL = reversal(tokens_BL)
        ahead_BLD, _ = self.forwards(x_BLD)
        back_BLD, _ = self.backwards(_rearrange(x_BLD, reverse_BL))
        return torch.cat((ahead_BLD, _rearrange(back_BLD, reverse_BL)), dim=-1)


def reversal(tokens_BL: Tensor) -> Tensor:
    """Positions (B, L) that turn each sequence round and leave its padding where it is."""
    position_L = torch.arange(tokens_BL.shape[1], device=tokens_BL.device)
    length_B1 = (tokens_BL != PAD).sum(1, keepdim=True)
    return torch.where(position_L < length_B1, length_B1 - 1 - position_L, position_L)


def _rearrange(x_BLD: Tensor, position_BL: Tensor) -> Tensor:
    return x_BLD.gather(1, position_BL[..., None].expand_as(x_BLD))
