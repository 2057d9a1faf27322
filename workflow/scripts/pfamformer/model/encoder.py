"""The Transformer encoder: pre-norm, by default the shape of ESM-2.

Tensors are named by their axes: B sequences, L positions, T rows of a batch in its layout, H heads,
D width, E embedding width, V tokens. Sources: Vaswani et al. 2017; Su et al. 2021 (rotary); Lin et
al. 2023 (ESM-2); Shazeer 2020 (SwiGLU); Lan et al. 2020 (shared layers, factorised embedding).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pfamformer.config import NetworkSettings
from pfamformer.model.attention import EVERYWHERE, Pattern, attend, attention_weights
from pfamformer.model.layout import Layout
from pfamformer.model.positions import RelativeBias, Rotate, rotary_angles, sinusoids
from pfamformer.sequences.alphabet import MASK, PAD, TOKENS

# ESM-2 scales embeddings by the share of unmasked tokens relative to that in its training: 15 %
# targets, 80 % of them masked.
TRAINED_MASK_SHARE = 0.15 * 0.8


@dataclass(frozen=True)
class Place:
    """What every layer needs to know about a batch besides its vectors."""

    layout: Layout
    rotary: tuple[Tensor, Tensor] | None
    pattern: Pattern


class Attention(nn.Module):
    """Multi-head self-attention over the tokens of each sequence."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        width, biases = network.width, network.biases
        self.heads = network.heads
        self.query_key_value = nn.Linear(width, 3 * width, bias=biases)
        self.output = nn.Linear(width, width, bias=biases)

    def forward(self, x_TD: Tensor, place: Place) -> Tensor:
        """Mix values along each sequence, (T, D)."""
        q_THD, k_THD, v_THD = self._project(x_TD, place)
        return self.output(attend(q_THD, k_THD, v_THD, place.layout, place.pattern).flatten(1))

    def weights(self, x_TD: Tensor, place: Place) -> Tensor:
        """Attention weights (B, H, L, L) of the same input."""
        q_THD, k_THD, _ = self._project(x_TD, place)
        return attention_weights(q_THD, k_THD, place.layout, place.pattern)

    def _project(self, x_TD: Tensor, place: Place) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.query_key_value(x_TD).view(x_TD.shape[0], 3 * self.heads, -1)
        angles = () if place.rotary is None else [a.to(qkv.dtype) for a in place.rotary]
        # Where attention wants heads first they are so already for the rotation: see Rotate.
        swapped = place.layout.lengths is not None
        if swapped:
            qkv, *angles = (x.transpose(0, 1).contiguous() for x in (qkv, *angles))
        axis = 0 if swapped else 1
        qk, v = qkv.split((2 * self.heads, self.heads), dim=axis)
        if angles:
            qk = Rotate.apply(qk, *angles)
        q, k = qk.chunk(2, dim=axis)
        return tuple(x.transpose(0, 1) if swapped else x for x in (q, k, v))


class FeedForward(nn.Module):
    """Two linear layers with GELU, or with SwiGLU's gate, between them."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.gated = network.activation == "swiglu"
        inner = network.feed_forward
        self.expand = nn.Linear(network.width, (1 + self.gated) * inner, bias=network.biases)
        self.contract = nn.Linear(inner, network.width, bias=network.biases)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Transform each row, (T, D)."""
        hidden = self.expand(x_TD)
        if self.gated:
            gate, value = hidden.chunk(2, dim=-1)
            return self.contract(F.silu(gate) * value)
        return self.contract(F.gelu(hidden))


class Block(nn.Module):
    """One pre-norm layer: attention, then a feed-forward network, each added to its input."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.attention_norm = make_norm(network, network.width)
        self.attention = Attention(network)
        self.feed_forward_norm = make_norm(network, network.width)
        self.feed_forward = FeedForward(network)
        self.dropout = nn.Dropout(network.dropout)

    def forward(self, x_TD: Tensor, place: Place) -> Tensor:
        """Transform (T, D) to (T, D)."""
        x_TD = x_TD + self.dropout(self.attention(self.attention_norm(x_TD), place))
        return x_TD + self.dropout(self.feed_forward(self.feed_forward_norm(x_TD)))


class Encoder(nn.Module):
    """Residue tokens to one vector per position."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        self.network = network
        #: Whether batches are packed: computed without padding.
        self.packed = True
        #: Whether activations are computed again in the backward pass instead of being kept.
        self.checkpointing = False
        #: Whether torch.compile has its layers.
        self.compiled = False
        width, narrow = network.width, network.embedding_width or network.width
        self.embedding = nn.Embedding(len(TOKENS) + network.merges, narrow)
        self.widen = nn.Identity() if narrow == width else nn.Linear(narrow, width, bias=False)
        if network.positions == "learned":
            self.position = nn.Embedding(network.max_positions, width)
        elif network.positions == "relative":
            self.distance = RelativeBias(network.heads)
        self.blocks = nn.ModuleList(
            Block(network) for _ in range(1 if network.shared_layers else network.layers)
        )
        self.norm = make_norm(network, width)
        self.apply(initialise)

    def forward(
        self,
        tokens_BL: Tensor,
        pattern: Pattern = EVERYWHERE,
        positions_BL: Tensor | None = None,
    ) -> Tensor:
        """Final embeddings (B, L, D) of padded tokens (B, L); rows at padding are meaningless.

        Args:
            tokens_BL: on any device; from the CPU it costs a GPU no waiting.
            pattern: who attends to whom, where an objective restricts it.
            positions_BL: positions other than 0…L−1.
        """
        x_TD, place = self._start(tokens_BL, pattern, positions_BL)
        for block in self.layers():
            x_TD = self._through(block, x_TD, place)
        return place.layout.unpack(self.norm(x_TD))

    def compile_layers(self) -> None:
        """Let torch.compile fuse what lies around the matrix products of each layer.

        Where it cannot (no compiler, an operation it does not know), that part runs as before.
        """
        torch._dynamo.config.suppress_errors = True
        self.compiled = True
        for block in self.blocks:
            block.compile(dynamic=True)

    def layers(self) -> Iterator[Block]:
        """The blocks in the order of computation, shared ones as often as they are used."""
        for layer in range(self.network.layers):
            yield self.blocks[layer % len(self.blocks)]

    def hidden_states(self, tokens_BL: Tensor) -> Iterator[Tensor]:
        """The embeddings, then the output of every layer, the last one normalised: (B, L, D) each.

        One at a time, so that a caller may reduce each before the next is computed.
        """
        x_TD, place = self._start(tokens_BL)
        for block in self.layers():
            yield place.layout.unpack(x_TD)
            x_TD = self._through(block, x_TD, place)
        yield place.layout.unpack(self.norm(x_TD))

    def attention_layers(self, tokens_BL: Tensor) -> Iterator[Tensor]:
        """Attention weights (B, H, L, L) of every layer, from the first to the last.

        ``weights[b, h, i, j]`` is how much position i of sequence b attends to position j, special
        tokens included; rows sum to one, columns at padding are zero. One layer at a time, so that
        the weights of a data set never lie in memory together.
        """
        x_TD, place = self._start(tokens_BL)
        for block in self.layers():
            yield block.attention.weights(block.attention_norm(x_TD), place)
            x_TD = block(x_TD, place)

    def _through(self, block: Block, x_TD: Tensor, place: Place) -> Tensor:
        if self.checkpointing and self.training:
            return checkpoint(block, x_TD, place, use_reentrant=False)
        return block(x_TD, place)

    def _start(
        self, tokens_BL: Tensor, pattern: Pattern = EVERYWHERE, positions_BL: Tensor | None = None
    ) -> tuple[Tensor, Place]:
        device, network = self.embedding.weight.device, self.network
        short = torch.is_autocast_enabled("cpu")
        layout = Layout.of(tokens_BL, self.packed, device, round_up=short)
        tokens_BL = tokens_BL.to(device, non_blocking=True)
        positions_T = (
            layout.positions(device)
            if positions_BL is None
            else layout.pack(positions_BL.to(device))
        )
        x_TD = self.widen(self.embedding(layout.pack(tokens_BL)))
        if network.token_dropout:
            x_TD = x_TD * layout.pack(token_dropout_scale(tokens_BL))[:, None]
        rotary = None
        if network.positions == "rotary":
            rotary = rotary_angles(positions_T, network.width // network.heads)
        elif network.positions == "learned":
            x_TD = x_TD + self.position(positions_T)
        elif network.positions == "sinusoidal":
            x_TD = x_TD + sinusoids(positions_T, network.width).to(x_TD.dtype)
        elif network.positions == "relative":
            pattern = replace(pattern, bias_HLL=self.distance(layout.length))
        if network.attention_window is not None:
            pattern = replace(
                pattern, window=network.attention_window, stride=network.attention_stride
            )
        return x_TD, Place(layout, rotary, pattern)


def make_norm(network: NetworkSettings, width: int) -> nn.Module:
    """The normalisation that the settings name; 1e-5 is ESM-2's smallest variance."""
    if network.norm == "rmsnorm":
        return nn.RMSNorm(width, eps=1e-5)
    return nn.LayerNorm(width, eps=1e-5, bias=network.biases)


def token_dropout_scale(tokens_BL: Tensor) -> Tensor:
    """ESM-2's factor of each embedding (B, L): 0 at ``<mask>``, elsewhere what makes up for it.

    The others grow with the share of masks in their sequence, relative to the share in training.
    """
    masked_BL = tokens_BL == MASK
    share_B1 = masked_BL.sum(1, keepdim=True) / (tokens_BL != PAD).sum(1, keepdim=True)
    return ~masked_BL * (1 - TRAINED_MASK_SHARE) / (1 - share_B1)


class TokenHead(nn.Module):
    """ESM-2's token head; its last matrix is the embedding of an encoder."""

    def __init__(self, network: NetworkSettings) -> None:
        super().__init__()
        narrow = network.embedding_width or network.width
        self.transform = nn.Linear(network.width, narrow, bias=network.biases)
        self.norm = make_norm(network, narrow)
        self.bias = nn.Parameter(torch.zeros(len(TOKENS) + network.merges))
        self.transform.apply(initialise)

    def predict(self, x_ND: Tensor, embedding_VE: Tensor) -> Tensor:
        """Token logits (N, V) of final embeddings (N, D)."""
        hidden = self.norm(F.gelu(self.transform(x_ND)))
        return F.linear(hidden, embedding_VE, self.bias)


class MaskedLanguageModel(TokenHead):
    """An encoder with its token head.

    Attributes:
        auxiliary: what an objective trains beside it and nobody needs afterwards.
    """

    def __init__(self, network: NetworkSettings) -> None:
        encoder = Encoder(network)
        super().__init__(network)
        self.encoder = encoder
        self.auxiliary = nn.ModuleDict()

    def logits(self, x_ND: Tensor) -> Tensor:
        """Token logits (N, V) of final embeddings (N, D)."""
        return self.predict(x_ND, self.encoder.embedding.weight)


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
