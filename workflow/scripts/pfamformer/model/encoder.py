"""The Transformer encoder: pre-norm, rotary positions, the shape of ESM-2.

Tensors are named by their axes: B sequences, L positions, T rows of a batch in its layout, H heads,
D width, V tokens. Sources: Vaswani et al. 2017; Su et al. 2021 (rotary); Lin et al. 2023 (ESM-2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.config import NetworkSettings
from pfamformer.model.attention import EVERYWHERE, Pattern, attend, attention_weights
from pfamformer.model.layout import Layout
from pfamformer.sequences.alphabet import MASK, PAD, TOKENS

# ESM-2 scales embeddings by the share of unmasked tokens relative to that in its training: 15 %
# targets, 80 % of them masked.
TRAINED_MASK_SHARE = 0.15 * 0.8


def rotary_angles(positions_T: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each of shape (T, 1, width), float32."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, device=positions_T.device).float() / width)
    angles = positions_T[:, None].float() * rates
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    return angles.cos(), angles.sin()


class Rotate(torch.autograd.Function):
    """Turn each pair of coordinates (i, i + D/2) by its position's angle, in three passes."""

    @staticmethod
    def forward(ctx: Any, x_THD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor) -> Tensor:
        """The turned vectors, (T, H, D)."""
        ctx.save_for_backward(cos_T1D, sin_T1D)
        return _turn(x_THD, cos_T1D, sin_T1D, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Gradients turn back."""
        return _turn(gradients[0], *ctx.saved_tensors, -1), None, None


def _turn(x_THD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor, sign: int) -> Tensor:
    half = x_THD.shape[-1] // 2
    out = x_THD * cos_T1D
    out[..., :half].addcmul_(x_THD[..., half:], sin_T1D[..., :half], value=-sign)
    out[..., half:].addcmul_(x_THD[..., :half], sin_T1D[..., half:], value=sign)
    return out


@dataclass(frozen=True)
class Place:
    """What every layer needs to know about a batch besides its vectors."""

    layout: Layout
    rotary: tuple[Tensor, Tensor]
    pattern: Pattern


class Attention(nn.Module):
    """Multi-head self-attention over the tokens of each sequence."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x_TD: Tensor, place: Place) -> Tensor:
        """Mix values along each sequence, (T, D)."""
        q_THD, k_THD, v_THD = self._project(x_TD, place)
        return self.output(attend(q_THD, k_THD, v_THD, place.layout, place.pattern).flatten(1))

    def weights(self, x_TD: Tensor, place: Place) -> Tensor:
        """Attention weights (B, H, L, L) of the same input."""
        q_THD, k_THD, _ = self._project(x_TD, place)
        return attention_weights(q_THD, k_THD, place.layout, place.pattern)

    def _project(self, x_TD: Tensor, place: Place) -> tuple[Tensor, Tensor, Tensor]:
        T = x_TD.shape[0]
        qk, v = self.query_key_value(x_TD).view(T, 3, self.heads, -1).split((2, 1), dim=1)
        cos, sin = (angle.to(qk.dtype) for angle in place.rotary)
        q_THD, k_THD = Rotate.apply(qk.flatten(1, 2), cos, sin).chunk(2, dim=1)
        return q_THD, k_THD, v.squeeze(1)


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

    def forward(self, x_TD: Tensor, place: Place) -> Tensor:
        """Transform (T, D) to (T, D)."""
        x_TD = x_TD + self.dropout(self.attention(self.attention_norm(x_TD), place))
        hidden = F.gelu(self.expand(self.feed_forward_norm(x_TD)))
        return x_TD + self.dropout(self.contract(hidden))


class Encoder(nn.Module):
    """Residue tokens to one vector per position."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.network = network
        #: Whether batches are packed: computed without padding.
        self.packed = True
        self.embedding = nn.Embedding(len(TOKENS), network.width)
        self.blocks = nn.ModuleList(Block(network) for _ in range(network.layers))
        self.norm = nn.LayerNorm(network.width)
        self.apply(initialise)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Final embeddings (B, L, D) of padded tokens (B, L); rows at padding are meaningless."""
        x_TD, place = self._start(tokens_BL)
        for block in self.blocks:
            x_TD = block(x_TD, place)
        return place.layout.unpack(self.norm(x_TD))

    def hidden_states(self, tokens_BL: Tensor) -> Iterator[Tensor]:
        """The embeddings, then the output of every layer, the last one normalised: (B, L, D) each.

        One at a time, so that a caller may reduce each before the next is computed.
        """
        x_TD, place = self._start(tokens_BL)
        for block in self.blocks:
            yield place.layout.unpack(x_TD)
            x_TD = block(x_TD, place)
        yield place.layout.unpack(self.norm(x_TD))

    def attention_layers(self, tokens_BL: Tensor) -> Iterator[Tensor]:
        """Attention weights (B, H, L, L) of every layer, from the first to the last.

        ``weights[b, h, i, j]`` is how much position i of sequence b attends to position j, special
        tokens included; rows sum to one, columns at padding are zero. One layer at a time, so that
        the weights of a data set never lie in memory together.
        """
        x_TD, place = self._start(tokens_BL)
        for block in self.blocks:
            yield block.attention.weights(block.attention_norm(x_TD), place)
            x_TD = block(x_TD, place)

    def _start(self, tokens_BL: Tensor, pattern: Pattern = EVERYWHERE) -> tuple[Tensor, Place]:
        layout = Layout.of(tokens_BL, self.packed)
        network = self.network
        positions_T = layout.positions(tokens_BL.device)
        rotary = rotary_angles(positions_T, network.width // network.heads)
        x_TD = self.embedding(layout.pack(tokens_BL))
        if network.token_dropout:
            x_TD = x_TD * layout.pack(token_dropout_scale(tokens_BL))[:, None]
        return x_TD, Place(layout, rotary, pattern)


def token_dropout_scale(tokens_BL: Tensor) -> Tensor:
    """ESM-2's factor of each embedding (B, L): 0 at ``<mask>``, elsewhere what makes up for it.

    The others grow with the share of masks in their sequence, relative to the share in training.
    """
    masked_BL = tokens_BL == MASK
    share_B1 = masked_BL.sum(1, keepdim=True) / (tokens_BL != PAD).sum(1, keepdim=True)
    return ~masked_BL * (1 - TRAINED_MASK_SHARE) / (1 - share_B1)


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
