"""Ways to tell a network where a residue is.

Axes: T rows of a batch, L positions, H heads, D dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Distances beyond this share a bias: at 64 residues a protein's secondary structure elements are
# long passed, and what is left is near or far.
FARTHEST = 64


def rotary_angles(positions_T: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each of shape (T, 1, width), float32.

    Sines of the first half are negative: they are factors of the second half.
    """
    rates = 10000.0 ** (-torch.arange(0, width, 2, device=positions_T.device).float() / width)
    angles = positions_T[:, None].float() * rates
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1)[:, None], torch.cat((-sin, sin), dim=-1)[:, None]


class Rotate(torch.autograd.Function):
    """Turn each pair of coordinates (i, i + D/2) by its position's angle, in three passes.

    Axes may come in the order (T, H, D) or (H, T, D), the angles' accordingly; on CPUs the latter
    is twice as fast, since angles of neighbouring rows are then read one after the other.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The turned vectors, of the same shape."""
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Gradients turn back."""
        return _turn(gradients[0], *ctx.saved_tensors, -1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return (x * cos).addcmul_(torch.cat((second, first), dim=-1), sin, value=sign)


def sinusoids(positions_T: Tensor, width: int) -> Tensor:
    """Vectors to add to embeddings, (T, width), float32 (Vaswani et al. 2017, section 3.5)."""
    cos, sin = rotary_angles(positions_T, width)
    return torch.cat((sin[:, 0, width // 2 :], cos[:, 0, : width // 2]), dim=-1)


class RelativeBias(nn.Module):
    """A learned score per head and distance, clipped (Shaw et al. 2018; Raffel et al. 2020)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.bias = nn.Embedding(2 * FARTHEST + 1, heads)
        nn.init.zeros_(self.bias.weight)

    def forward(self, length: int) -> Tensor:
        """What is added to scores, (H, L, L)."""
        place = torch.arange(length, device=self.bias.weight.device)
        distance_LL = (place - place[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST
        return self.bias(distance_LL).permute(2, 0, 1)
