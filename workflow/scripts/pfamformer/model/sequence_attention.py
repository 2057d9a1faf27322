"""Exact attention on CPUs, sequence by sequence: no mask, score matrices in the cache.

torch's fused CPU kernel needs padded batches and has a slow bfloat16 backward pass; whole padded
batches of explicit matrix products spend their time moving score matrices through main memory.
What is done to whole score matrices decides the time. It is two products and one power in the
forward pass, five products and one multiplication in the backward pass; all else is done to
vectors: weights are never divided by their sums, the values are, and the mean that the softmax's
derivative subtracts comes out of a product, as columns more (Dao et al., 2022,
https://arxiv.org/abs/2205.14135, equation 4).
Axes: H heads, T rows of a packed batch, D dimensions of a head; R = T·H rows, those of a sequence
and head together; P such rows with padding; W columns, D and what stands behind.
"""

from __future__ import annotations

import math
from functools import lru_cache
from threading import local
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pfamformer.model import attention_kernels as kernels
from pfamformer.model.side_by_side import side_by_side

# Scores that are computed together: 1 MB in bfloat16, the second-level cache of a server core.
CACHED_SCORES = 2**19
# Powers that are kept for the backward pass, per row and head; the others are computed again. As
# many as a Pfam domain has residues: batches of domains are computed once, and memory depends on
# the tokens of a batch alone, not on how long its sequences are.
KEPT = 128
# Rows and columns of the second factor that matrix units take at once: unaligned matrices need a
# third more time.
TILE_ROWS, TILE_COLUMNS = 32, 16
# In bfloat16 lengths are rounded up: oneDNN makes a kernel for each new shape of a product, which
# takes longer than to use it, and it computes 16 rows at a time anyway.
ROUNDED = 16


def _tiles(rows: int) -> int:
    return -(-rows // TILE_ROWS) * TILE_ROWS


def _with_ones(width: int) -> int:
    """W: columns of values, and two of ones or more."""
    return -(-(width + 2) // TILE_COLUMNS) * TILE_COLUMNS


class Span(NamedTuple):
    """Score matrices that are computed together: heads of sequences of one length, or nearly."""

    matrices: int
    length: int

    @property
    def columns(self) -> int:
        """Of each matrix: the length in whole tiles."""
        return _tiles(self.length)

    @property
    def scores(self) -> int:
        """Elements of all its matrices."""
        return self.matrices * self.length * self.columns


class Order(NamedTuple):
    """How the rows of a batch are laid out for its spans, the shortest sequences first.

    Attributes:
        spans: whose scores fit the cache, where a single head's do.
        rows_R: row of (T·H) that comes next; T·H stands for a row of zeros.
        padded_P: the same with each sequence in whole tiles.
        places_R, padded_places_R: where each row of (T·H) went.
    """

    spans: tuple[Span, ...]
    rows_R: np.ndarray
    padded_P: np.ndarray
    places_R: np.ndarray
    padded_places_R: np.ndarray

    def by_span(self, x: Tensor) -> list[Tensor]:
        """Views (matrices, n or m, columns) of the R or P rows, those of each span."""
        padded = len(x) == len(self.padded_P)
        sizes = [(s.matrices, s.columns if padded else s.length) for s in self.spans]
        parts = x.split([matrices * rows for matrices, rows in sizes])
        return [part.view(*size, -1) for part, size in zip(parts, sizes, strict=True)]


def _order(lengths: tuple[int, ...], heads: int, step: int) -> Order:
    lengths_B = np.array(lengths)
    starts_B, nothing = lengths_B.cumsum() - lengths_B, sum(lengths) * heads
    spans: list[Span] = []
    rows, padded = [], []
    by_length = np.argsort(lengths_B, kind="stable")
    rounded_B = -(-lengths_B[by_length] // step) * step
    for n in np.unique(rounded_B).tolist():
        left = by_length[rounded_B == n]
        together = max(1, CACHED_SCORES // (heads * n * n))
        at_once = min(heads, max(1, CACHED_SCORES // (n * n)))
        for first in range(0, len(left), together):
            some = left[first : first + together]
            place_N, length_C1 = np.arange(n), lengths_B[some][:, None]
            row_CN = (starts_B[some][:, None] + place_N) * heads
            for head in range(0, heads, at_once):
                of_H = np.arange(head, min(head + at_once, heads))
                rows_HCN = np.where(place_N < length_C1, row_CN + of_H[:, None, None], nothing)
                spans.append(Span(len(of_H) * len(some), n))
                rows.append(rows_HCN)
                filled = ((0, 0), (0, 0), (0, _tiles(n) - n))
                padded.append(np.pad(rows_HCN, filled, constant_values=nothing))
    rows_R, padded_P = (np.concatenate([x.ravel() for x in some]) for some in (rows, padded))
    places_R, padded_places_R = (np.argsort(x, kind="stable")[:nothing] for x in (rows_R, padded_P))
    return Order(tuple(spans), rows_R, padded_P, places_R, padded_places_R)


class _Known(local):
    """Each thread reads batches of its own."""

    def __init__(self) -> None:
        self.order = lru_cache(maxsize=2)(_order)


_known = _Known()


def order_of(lengths: tuple[int, ...], heads: int, step: int = 1) -> Order:
    """Cut a packed batch into spans and say where its rows go.

    Found once for all layers of a batch, forwards and backwards.

    Args:
        step: sequences whose lengths are equal when rounded up to a multiple of it share spans.
    """
    return _known.order(lengths, heads, step)


def _flat(x_THD: Tensor) -> Tensor:
    return x_THD.flatten(0, 1)


def _laid_out(
    q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, order: Order
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (R, D), keys (P, D), and values with two columns of ones or more (P, W)."""
    width = v_THD.shape[-1]
    return (
        kernels.gather(_flat(q_THD), order.rows_R, width),
        kernels.gather(_flat(k_THD), order.padded_P, width),
        kernels.gather(_flat(v_THD), order.padded_P, _with_ones(width)),
    )


def _pieces(order: Order, *flat: Tensor) -> list[tuple[Any, ...]]:
    """Of each span its number and its part of each."""
    return list(zip(range(len(order.spans)), *map(order.by_span, flat), strict=True))


def _powers(q: Tensor, k: Tensor, causal: bool, near: bool) -> Tensor:
    """2^(q·kᵀ), relative to the largest of each row unless all are ``near`` zero.

    Columns of padding hold anything finite: the values that they weigh are zero.
    """
    scores, n = torch.bmm(q, k.mT), q.shape[1]
    if causal:
        scores.masked_fill_(torch.ones(scores.shape[1:], dtype=torch.bool).triu(1), -torch.inf)
    if not near:
        scores -= scores[..., :n].amax(-1, keepdim=True)
        scores[..., n:] = -torch.inf
    return kernels.exp2_(scores)


def _step(near: bool, dtype: torch.dtype) -> int:
    """What lengths are rounded up to."""
    # Keys of zero would have a row's largest score where all others are far below zero.
    return ROUNDED if near and dtype == torch.bfloat16 else 1


def _near_zero(q_THD: Tensor, k_THD: Tensor) -> bool:
    """Whether no score can be so far from zero that a row's powers overflow, or all of them vanish.

    By Cauchy and Schwarz; half the exponents leave as much room for sums of powers times values.
    """
    q_H, k_H = map(kernels.largest_norms, (q_THD, k_THD))
    return float((q_H * k_H).max()) < math.log2(torch.finfo(q_THD.dtype).max) / 2


class SequenceAttention(torch.autograd.Function):
    """Softmax(q·kᵀ·ln 2)·v within each sequence, or its past; ``q`` comes scaled."""

    @staticmethod
    def forward(
        ctx: Any,
        q_THD: Tensor,
        k_THD: Tensor,
        v_THD: Tensor,
        lengths: tuple[int, ...],
        causal: bool,
    ) -> Tensor:
        """Mixed values (T, H, D)."""
        q_THD, k_THD, v_THD = (x.contiguous() for x in (q_THD, k_THD, v_THD))
        near = _near_zero(q_THD, k_THD)
        order = order_of(lengths, q_THD.shape[1], _step(near, q_THD.dtype))
        room = KEPT * q_THD.shape[0] * q_THD.shape[1] if any(ctx.needs_input_grad) else 0
        kept: dict[int, Tensor | None] = {}
        for number, span in enumerate(order.spans):
            if span.scores <= room:
                kept[number], room = None, room - span.scores
        q_RD, k_PD, v_PW = _laid_out(q_THD, k_THD, v_THD, order)
        mixed_RW = v_PW.new_empty(len(q_RD), v_PW.shape[1])

        def mix(piece: tuple[Any, ...]) -> None:
            number, q, k, v, mixed = piece
            powers = _powers(q, k, causal, near)
            torch.bmm(powers, v, out=mixed)
            if number in kept:
                kept[number] = powers

        side_by_side(mix, _pieces(order, q_RD, k_PD, v_PW, mixed_RW))
        width = v_THD.shape[-1]
        out_RD, sums_R1 = (
            kernels.quotients(mixed_RW, width),
            mixed_RW[:, width : width + 1].contiguous(),
        )
        out_THD = kernels.gather(out_RD, order.places_R, width).view(v_THD.shape)
        sums_R1 = kernels.gather(sums_R1, order.places_R, 1)
        ctx.order, ctx.causal, ctx.near, ctx.kept = order, causal, near, tuple(kept)
        # Not as an attribute: activation checkpointing drops what is saved here and nothing else.
        ctx.save_for_backward(q_THD, k_THD, v_THD, out_THD, sums_R1, *kept.values())
        return out_THD

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of q, k and v."""
        q_THD, k_THD, v_THD, out_THD, sums_R1, *powers_kept = ctx.saved_tensors
        order = ctx.order
        kept = dict(zip(ctx.kept, powers_kept, strict=True))
        q_RD, k_PD, v_PW = _laid_out(q_THD, k_THD, v_THD, order)
        # Less its mean over a row's weights: a product with values and their two columns of ones.
        change_RW = kernels.changes(
            _flat(gradients[0].contiguous()), _flat(out_THD), sums_R1, v_PW.shape[1]
        )
        change_RW = kernels.gather(change_RW, order.rows_R, v_PW.shape[1])
        to_q_RD, to_k_PD, to_v_PW = (torch.empty_like(x) for x in (q_RD, k_PD, v_PW))

        def differentiate(piece: tuple[Any, ...]) -> None:
            number, q, k, v, change, to_q, to_k, to_v = piece
            powers = kept.pop(number, None)
            if powers is None:
                powers = _powers(q, k, ctx.causal, ctx.near)
            torch.bmm(powers.mT, change, out=to_v)
            scores = kernels.multiply_(torch.bmm(change, v.mT), powers)
            torch.bmm(scores, k, out=to_q)
            torch.bmm(scores.mT, q, out=to_k)

        pieces = _pieces(order, q_RD, k_PD, v_PW, change_RW, to_q_RD, to_k_PD, to_v_PW)
        side_by_side(differentiate, pieces)
        places = order.places_R, order.padded_places_R, order.padded_places_R
        to_q_THD, to_k_THD, to_v_THD = (
            kernels.gather(x, index, v_THD.shape[-1]).view(v_THD.shape)
            for x, index in zip((to_q_RD, to_k_PD, to_v_PW), places, strict=True)
        )
        for x_THD in (to_q_THD, to_k_THD):
            x_THD *= math.log(2)
        return to_q_THD, to_k_THD, to_v_THD, None, None
