"""Masked language modelling kept beside a task, so that fine-tuning forgets less."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Objective, Outcome
from pfamformer.training.objectives.masked import MaskedLanguageModelling


class TokenRegulariser(MaskedLanguageModelling):
    """The same objective for a model whose token head is auxiliary (``auxiliary["tokens"]``)."""

    def logits(self, model: nn.Module, x_ND: Tensor) -> Tensor:
        """Token logits (N, V) of final embeddings."""
        return model.auxiliary["tokens"].predict(x_ND, model.encoder.embedding.weight)


class WithRegulariser:
    """A task's loss plus that of a second objective, each a mean over its own targets.

    Args:
        task: whose targets and accuracy count.
        regulariser: the second objective.
        weight: of the second mean, relative to the first.
    """

    def __init__(self, task: Objective, regulariser: Objective, weight: float) -> None:
        self.task, self.regulariser, self.weight = task, regulariser, weight

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Prepare the batch for each."""
        parts = (self.task.prepare(batch, stream), self.regulariser.prepare(batch, stream))
        return replace(batch, parts=parts, total=parts[0].total)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """The sum of both, scaled to the task's targets."""
        first, second = batch.parts
        outcome, beside = self.task(model, first), self.regulariser(model, second)
        scale = self.weight * first.total / max(1, second.total)
        return outcome._replace(loss=outcome.loss + scale * beside.loss)
