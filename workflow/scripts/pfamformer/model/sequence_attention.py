"""Exact attention on CPUs, sequence by sequence: no padding, no mask, score matrices in the cache.

torch's fused CPU kernel needs padded batches and has a slow bfloat16 backward pass; whole padded
batches of explicit matrix products spend their time moving score matrices through main memory.
Axes: H heads, T rows of a packed batch, C sequences of equal length n, D dimensions of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Scores that are computed together: 1 MB in bfloat16, the second-level cache of a server core.
CACHED_SCORES = 2**19
# Weights that are kept for the backward pass, per row and head; the others are computed again. As
# many as a Pfam domain has residues: batches of domains are computed once, and memory depends on
# the tokens of a batch alone, not on how long its sequences are.
KEPT = 128


class Span(NamedTuple):
    """Neighbouring sequences of equal length, and some of the heads."""

    heads: slice
    first_row: int
    sequences: int
    length: int

    def of(self, x_HTD: Tensor) -> Tensor:
        """Its rows, a view (H, C, n, D)."""
        rows = slice(self.first_row, self.first_row + self.sequences * self.length)
        return x_HTD[self.heads, rows].unflatten(1, (self.sequences, self.length))

    def read(self, x_HTD: Tensor) -> Tensor:
        """Its rows, one matrix per head and sequence, (H·C, n, D)."""
        return self.of(x_HTD).flatten(0, 1)

    def write(self, x_HTD: Tensor, part: Tensor) -> None:
        """Put (H·C, n, D) in their place."""
        place = self.of(x_HTD)
        place.copy_(part.view(place.shape))


def spans_of(lengths: Iterable[int], heads: int) -> list[Span]:
    """Cut a packed batch into spans whose scores fit the cache, where a single head's do."""
    spans: list[Span] = []
    first = 0
    for n, run in groupby(lengths):
        left = len(list(run))
        together = max(1, CACHED_SCORES // (heads * n * n))
        step = min(heads, max(1, CACHED_SCORES // (n * n)))
        while left:
            count = min(left, together)
            spans += [
                Span(slice(h, min(h + step, heads)), first, count, n) for h in range(0, heads, step)
            ]
            first, left = first + count * n, left - count
    return spans


def _powers(q: Tensor, k: Tensor, causal: bool, near: bool) -> Tensor:
    """2^(q·kᵀ), relative to the largest of each row unless all are ``near`` zero."""
    scores = torch.bmm(q, k.mT)
    if causal:
        n = scores.shape[-1]
        future = torch.ones(n, n, dtype=torch.bool).triu(1)
        scores.masked_fill_(future, -torch.inf)
    if not near:
        scores -= scores.amax(-1, keepdim=True)
    return scores.exp2_()


def _weights(q: Tensor, k: Tensor, causal: bool, near: bool) -> Tensor:
    powers = _powers(q, k, causal, near)
    return powers.mul_(powers.sum(-1, keepdim=True).reciprocal_())


def _near_zero(q_HTD: Tensor, k_HTD: Tensor) -> bool:
    """Whether no score can be so far from zero that a row's powers overflow, or all of them vanish.

    By Cauchy and Schwarz; half the exponents leave as much room for sums of powers times values.
    """
    q, k = (torch.linalg.vector_norm(x, dim=-1).amax() for x in (q_HTD, k_HTD))
    return float(q) * float(k) < math.log2(torch.finfo(q_HTD.dtype).max) / 2


class SequenceAttention(torch.autograd.Function):
    """Softmax(q·kᵀ·ln 2)·v within each sequence, or its past; ``q`` comes scaled.

    Powers of two, without a search for each row's largest score where none can be large, take half
    the time of torch's softmax in bfloat16.
    """

    @staticmethod
    def forward(
        ctx: Any, q_HTD: Tensor, k_HTD: Tensor, v_HTD: Tensor, spans: list[Span], causal: bool
    ) -> Tensor:
        """Mixed values (H, T, D)."""
        out_HTD = torch.empty_like(v_HTD)
        learns = any(ctx.needs_input_grad)
        kept: dict[int, Tensor] = {}
        room = KEPT * q_HTD.shape[0] * q_HTD.shape[1] if learns else 0
        near = _near_zero(q_HTD, k_HTD)
        for number, span in enumerate(spans):
            q, k, v = (span.read(x) for x in (q_HTD, k_HTD, v_HTD))
            if not learns:
                powers = _powers(q, k, causal, near)
                # Sums as a product: a column for each of v's, so that the division is elementwise.
                sums = torch.bmm(powers, torch.ones_like(v))
                span.write(out_HTD, torch.bmm(powers, v).div_(sums))
                continue
            weights = _weights(q, k, causal, near)
            span.write(out_HTD, torch.bmm(weights, v))
            if weights.numel() <= room:
                kept[number] = weights
                room -= weights.numel()
        ctx.spans, ctx.causal, ctx.near, ctx.kept = spans, causal, near, tuple(kept)
        # Not as an attribute: activation checkpointing drops what is saved here and nothing else.
        ctx.save_for_backward(q_HTD, k_HTD, v_HTD, *kept.values())
        return out_HTD

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of q, k and v."""
        q_HTD, k_HTD, v_HTD, *weights_kept = ctx.saved_tensors
        kept = dict(zip(ctx.kept, weights_kept, strict=True))
        found = tuple(torch.empty_like(x) for x in (q_HTD, k_HTD, v_HTD))
        for number, span in enumerate(ctx.spans):
            q, k, v, out = (span.read(x) for x in (q_HTD, k_HTD, v_HTD, gradients[0]))
            weights = kept.pop(number) if number in kept else _weights(q, k, ctx.causal, ctx.near)
            change = torch.bmm(out * math.log(2), v.mT)
            scores = torch._softmax_backward_data(change, weights, -1, weights.dtype)
            parts = (torch.bmm(scores, k), torch.bmm(scores.mT, q), torch.bmm(weights.mT, out))
            for x_HTD, part in zip(found, parts, strict=True):
                span.write(x_HTD, part)
        return *found, None, None
