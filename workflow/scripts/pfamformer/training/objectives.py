"""What a network is trained to do: each objective is a class with one method.

An objective first prepares a batch (random choices, drawn for the whole global batch), then
computes the *sum* of the loss over its targets, their number, and how many it predicted right: sums
can be added over batches and processes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.sequences.alphabet import INDEX, MASK, STANDARD
from pfamformer.training.batches import Batch


class Outcome(NamedTuple):
    """Loss summed over targets (nats), targets, right predictions; the last two as tensors."""

    loss: Tensor
    targets: Tensor
    right: Tensor


class Objective(Protocol):
    """The interface of every objective."""

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Make the random choices of a global batch."""
        ...

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Compute the loss of a batch, or of a process's share of it."""
        ...


_FIRST, _LAST = INDEX[STANDARD[0]], INDEX[STANDARD[-1]]


class MaskedLanguageModelling:
    """BERT's objective: predict chosen residues (study, section 3.2; Devlin et al. 2019).

    Args:
        share: of residues that become targets.
        masked, random: shares of targets replaced by ``<mask>`` and by a random residue; the rest
            stays as it is.
    """

    def __init__(self, share: float, masked: float, random: float) -> None:
        self.share, self.masked, self.random = share, masked, random

    def corrupt(self, tokens_BL: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Corrupted tokens and the mask of targets, both (B, L); targets are standard residues."""
        chance = torch.rand(tokens_BL.shape, generator=stream)
        fate = torch.rand(tokens_BL.shape, generator=stream)
        other = torch.randint(_FIRST, _LAST + 1, tokens_BL.shape, generator=stream)
        residue = (tokens_BL >= _FIRST) & (tokens_BL <= _LAST)
        target = residue & (chance < self.share)
        corrupted = torch.where(target & (fate < self.masked), MASK, tokens_BL)
        swap = target & (fate >= self.masked) & (fate < self.masked + self.random)
        return torch.where(swap, other, corrupted), target

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Draw targets and corrupt them; on the CPU, so that every device draws the same."""
        inputs, targets = self.corrupt(batch.tokens, stream)
        return replace(batch, inputs=inputs, targets=targets)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the targets; the head is computed at targets only."""
        device = next(model.parameters()).device
        x_BLD = model.encoder(batch.inputs.to(device))
        target = batch.targets.to(device)
        truth_N = batch.tokens.to(device)[target]
        logits_NV = model.logits(x_BLD[target]).float()
        return _cross_entropy(logits_NV, truth_N)


class Classification:
    """Cross-entropy of one class per sequence.

    Args:
        labels: class of every row of the data set, shape (rows,).
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw."""
        return batch

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the batch's rows."""
        device = next(model.parameters()).device
        truth_B = self.labels[torch.from_numpy(batch.rows)].to(device)
        return _cross_entropy(model(batch.inputs.to(device)).float(), truth_B)


def _cross_entropy(logits_NV: Tensor, truth_N: Tensor) -> Outcome:
    loss = F.cross_entropy(logits_NV, truth_N, reduction="sum")
    right = (logits_NV.detach().argmax(-1) == truth_N).sum()
    return Outcome(loss, torch.tensor(len(truth_N)), right)
