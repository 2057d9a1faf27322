"""Scaled dot-product attention behind one function, by the fastest exact path for the device.

Axes: B sequences, L positions, T rows (see :mod:`pfamformer.model.layout`), H heads, D dimensions
of a head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pfamformer.model.layout import Layout
from pfamformer.model.sequence_attention import SequenceAttention
from pfamformer.model.sparse import sparse_attention, sparse_mask

# Far below any score, yet finite in bfloat16: a row of only padding stays free of NaN.
MINUS_INFINITY = -1e4
HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Pattern:
    """Who may attend to whom, beyond "not to padding".

    Attributes:
        causal: only to this and earlier positions.
        allowed_BLL: true where attention may go from a position (second axis) to another (third);
            the first axis may be 1.
        bias_HLL: added to the scores (relative positions).
        window, stride: only to positions at most ``window`` away and to every ``stride``-th.
    """

    causal: bool = False
    allowed_BLL: Tensor | None = None
    bias_HLL: Tensor | None = None
    window: int | None = None
    stride: int | None = None

    @property
    def masked(self) -> bool:
        """Whether scores need a mask or a bias of their own."""
        return self.allowed_BLL is not None or self.bias_HLL is not None


EVERYWHERE = Pattern()


def attend(
    q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, layout: Layout, pattern: Pattern = EVERYWHERE
) -> Tensor:
    """Softmax(q·kᵀ/√D)·v, shape (T, H, D); sequences of the batch do not see each other."""
    if layout.rows_T is not None and not pattern.masked:
        if q_THD.is_cuda and q_THD.dtype in HALF and pattern.stride is None:
            return _packed(q_THD, k_THD, v_THD, layout, pattern)
        if layout.lengths is not None and pattern.window is None:
            return _by_sequence(q_THD, k_THD, v_THD, layout.lengths, pattern.causal)
    q_BHLD, k_BHLD, v_BHLD = (layout.unpack(x).transpose(1, 2) for x in (q_THD, k_THD, v_THD))
    if pattern.window is not None and not (pattern.masked or pattern.causal):
        mixed_BHLD = sparse_attention(
            q_BHLD, k_BHLD, v_BHLD, layout.present_BL, pattern.window, pattern.stride
        )
    elif pattern.bias_HLL is not None:
        # Fused kernels give the bias no gradient.
        bias = score_bias(layout, pattern, q_THD)
        mixed_BHLD = _weights(q_BHLD, k_BHLD, bias).to(v_BHLD.dtype) @ v_BHLD
    else:
        bias = score_bias(layout, pattern, q_THD)
        mixed_BHLD = F.scaled_dot_product_attention(q_BHLD, k_BHLD, v_BHLD, attn_mask=bias)
    return layout.pack(mixed_BHLD.transpose(1, 2))


def attention_weights(
    q_THD: Tensor, k_THD: Tensor, layout: Layout, pattern: Pattern = EVERYWHERE
) -> Tensor:
    """The attention weights themselves, shape (B, H, L, L); rows of tokens sum to one.

    Rows (third axis) are the positions that ask, columns the positions that answer.
    """
    q_BHLD, k_BHLD = (layout.unpack(x).transpose(1, 2) for x in (q_THD, k_THD))
    return _weights(q_BHLD, k_BHLD, score_bias(layout, pattern, q_THD))


def score_bias(layout: Layout, pattern: Pattern, like: Tensor) -> Tensor | None:
    """What is added to scores (broadcastable to (B, H, L, L)), None for nothing."""
    allowed = None if layout.present_BL is None else layout.present_BL[:, None, None, :]
    if pattern.allowed_BLL is not None:
        chosen = pattern.allowed_BLL[:, None]
        allowed = chosen if allowed is None else allowed & chosen
    if pattern.causal:
        past = torch.ones(layout.length, layout.length, dtype=torch.bool, device=like.device).tril()
        allowed = past[None, None] if allowed is None else allowed & past
    if pattern.window is not None:
        near = sparse_mask(layout.length, pattern.window, pattern.stride, like.device)
        allowed = near[None, None] if allowed is None else allowed & near
    bias = None if pattern.bias_HLL is None else pattern.bias_HLL[None].to(like.dtype)
    if allowed is None:
        return bias
    forbidden = torch.where(allowed, 0.0, MINUS_INFINITY).to(like.dtype)
    return forbidden if bias is None else forbidden + bias


def _weights(q_BHLD: Tensor, k_BHLD: Tensor, bias: Tensor | None) -> Tensor:
    scores_BHLL = (q_BHLD * q_BHLD.shape[-1] ** -0.5) @ k_BHLD.transpose(-1, -2)
    if bias is not None:
        scores_BHLL = scores_BHLL + bias
    return scores_BHLL.softmax(-1)


def _by_sequence(
    q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, lengths: tuple[int, ...], causal: bool
) -> Tensor:
    scale = q_THD.shape[-1] ** -0.5 / math.log(2)  # powers of two
    return SequenceAttention.apply(q_THD * scale, k_THD, v_THD, lengths, causal)


def _packed(
    q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, layout: Layout, pattern: Pattern
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    reach = -1 if pattern.window is None else pattern.window
    return varlen_attn(
        q_THD, k_THD, v_THD, layout.offsets, layout.offsets, layout.length, layout.length,
        window_size=(reach, 0 if pattern.causal else reach),
    )  # fmt: skip
