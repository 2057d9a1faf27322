"""The Transformer encoder: pre-norm, rotary positions, the shape of ESM-2.

Tensors are named by their axes: B sequences, L positions, H heads, D width, V tokens.
Sources: Vaswani et al. 2017; Su et al. 2021 (rotary); Lin et al. 2023 (ESM-2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.config import NetworkSettings
from pfamformer.model.attention import attend
from pfamformer.sequences.alphabet import PAD, TOKENS


def rotary_angles(positions: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each of shape (positions, width), float32."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, device=device).float() / width)
    angles = torch.arange(positions, device=device).float()[:, None] * rates
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x_BHLD: Tensor, cos_LD: Tensor, sin_LD: Tensor) -> Tensor:
    """Turn each pair of coordinates (i, i + D/2) by its position's angle."""
    first, second = x_BHLD.chunk(2, dim=-1)
    return x_BHLD * cos_LD + torch.cat((-second, first), dim=-1) * sin_LD


class Attention(nn.Module):
    """Multi-head self-attention over the positions that are not padding."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(
        self, x_BLD: Tensor, mask_BL: Tensor | None, rotary: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Mix values along L. ``mask_BL`` is true where attention may go; None means anywhere."""
        B, L, D = x_BLD.shape
        qkv = self.query_key_value(x_BLD).view(B, L, 3, self.heads, D // self.heads)
        q_BHLD, k_BHLD, v_BHLD = qkv.permute(2, 0, 3, 1, 4)
        cos, sin = (angle.to(q_BHLD.dtype) for angle in rotary)
        q_BHLD, k_BHLD = rotate(q_BHLD, cos, sin), rotate(k_BHLD, cos, sin)
        mixed = attend(q_BHLD, k_BHLD, v_BHLD, mask_BL)
        return self.output(mixed.transpose(1, 2).reshape(B, L, D))


class Block(nn.Module):
    """One pre-norm layer: attention, then a feed-forward network, each added to its input."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        width = network.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, network.heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, network.feed_forward)
        self.contract = nn.Linear(network.feed_forward, width)
        self.dropout = nn.Dropout(network.dropout)

    def forward(
        self, x_BLD: Tensor, mask_BL: Tensor | None, rotary: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Transform (B, L, D) to (B, L, D)."""
        x_BLD = x_BLD + self.dropout(self.attention(self.attention_norm(x_BLD), mask_BL, rotary))
        hidden = F.gelu(self.expand(self.feed_forward_norm(x_BLD)))
        return x_BLD + self.dropout(self.contract(hidden))


class Encoder(nn.Module):
    """Residue tokens to one vector per position."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.network = network
        self.embedding = nn.Embedding(len(TOKENS), network.width)
        self.blocks = nn.ModuleList(Block(network) for _ in range(network.layers))
        self.norm = nn.LayerNorm(network.width)
        self.apply(initialise)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Final embeddings (B, L, D) of padded tokens (B, L); rows at padding are meaningless."""
        present_BL = tokens_BL != PAD
        # Without padding the mask-free kernel is faster and exact.
        mask_BL = None if bool(present_BL.all()) else present_BL
        network = self.network
        rotary = rotary_angles(tokens_BL.shape[1], network.width // network.heads, tokens_BL.device)
        x_BLD = self.embedding(tokens_BL)
        for block in self.blocks:
            x_BLD = block(x_BLD, mask_BL, rotary)
        return self.norm(x_BLD)


class MaskedLanguageModel(nn.Module):
    """An encoder with ESM-2's token head, whose last matrix is the embedding itself."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.encoder = Encoder(network)
        self.transform = nn.Linear(network.width, network.width)
        self.norm = nn.LayerNorm(network.width)
        self.bias = nn.Parameter(torch.zeros(len(TOKENS)))
        self.transform.apply(initialise)

    def logits(self, x_ND: Tensor) -> Tensor:
        """Token logits (N, V) of final embeddings (N, D)."""
        hidden = self.norm(F.gelu(self.transform(x_ND)))
        return F.linear(hidden, self.encoder.embedding.weight, self.bias)


def initialise(module: nn.Module) -> None:
    """Normal weights that keep the size of activations, zero biases.

    A standard deviation of 1/√inputs equals BERT's 0.02 at a width of 2,500; at the widths of a
    small network 0.02 shrinks every layer's output, and training loses many steps growing it back.
    """
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
