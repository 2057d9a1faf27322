"""The interface of objectives, and the loss that most of them share.

An objective first prepares a batch (random choices, drawn on the CPU for the whole global batch, so
that every device and any number of processes draw the same), then computes the *sum* of the loss
over its targets, their number, and how many it predicted right: sums can be added over batches and
processes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.sequences.alphabet import INDEX, STANDARD, TOKENS
from pfamformer.training.batches import Batch

FIRST, LAST = INDEX[STANDARD[0]], INDEX[STANDARD[-1]]


class Outcome(NamedTuple):
    """Loss summed over targets (nats), targets, right predictions, all as tensors.

    In evaluation also the probability of each prediction, and whether it was right, (N,).
    """

    loss: Tensor
    targets: Tensor
    right: Tensor
    confidence_N: Tensor | None = None
    hit_N: Tensor | None = None


class Objective(Protocol):
    """The interface of every objective."""

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Make the random choices of a global batch, and count its targets (``total``)."""
        ...

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Compute the loss of a batch, or of a process's share of it."""
        ...


def standard(tokens_BL: Tensor) -> Tensor:
    """True at the 20 standard residues, and at tokens of several residues."""
    return ((tokens_BL >= FIRST) & (tokens_BL <= LAST)) | (tokens_BL >= len(TOKENS))


def rows_at(x_BLD: Tensor, chosen_BL: Tensor) -> Tensor:
    """The vectors at chosen positions, (N, D); the mask may lie on the CPU, to spare a wait."""
    index = chosen_BL.flatten().nonzero().squeeze(1).to(x_BLD.device, non_blocking=True)
    return x_BLD.flatten(0, 1).index_select(0, index)


def cross_entropy(
    logits_NV: Tensor, truth_N: Tensor, training: bool, weight_V: Tensor | None = None
) -> Outcome:
    """The outcome of predicting one class each."""
    logits_NV = logits_NV.float()
    truth_N = truth_N.to(logits_NV.device, non_blocking=True)
    if weight_V is not None:
        weight_V = weight_V.to(logits_NV)
    loss = F.cross_entropy(logits_NV, truth_N, weight=weight_V, reduction="sum")
    hit_N = logits_NV.detach().argmax(-1) == truth_N
    counts = torch.tensor(len(truth_N)), hit_N.sum()
    if training:
        return Outcome(loss, *counts)
    return Outcome(loss, *counts, logits_NV.softmax(-1).amax(-1), hit_N)
