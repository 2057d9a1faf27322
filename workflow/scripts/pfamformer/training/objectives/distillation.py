"""Distillation: a network learns the distributions of a trained one (Hinton et al. 2015)."""

from __future__ import annotations

import torch
from torch import nn

from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome, cross_entropy, rows_at
from pfamformer.training.objectives.masked import MaskedLanguageModelling

# The truth and the teacher count alike, as in DistilBERT's published recipe of equal terms.
TEACHER_SHARE = 0.5


class Distillation:
    """Masked language modelling towards the truth and towards a teacher's distribution.

    Args:
        mlm: which residues are targets.
        teacher: a trained network of any shape; it does not change.
        temperature: softens both distributions.
    """

    def __init__(
        self, mlm: MaskedLanguageModelling, teacher: MaskedLanguageModel, temperature: float
    ) -> None:
        self.mlm, self.teacher, self.temperature = mlm, teacher.eval(), temperature

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Draw targets and corrupt them."""
        return self.mlm.prepare(batch, stream)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Both losses in one sum; accuracy against the truth."""
        self.teacher.to(next(model.parameters()).device)
        logits_NV = model.logits(rows_at(model.encoder(batch.inputs), batch.targets)).float()
        with torch.no_grad():
            states = self.teacher.encoder(batch.inputs)
            wanted_NV = self.teacher.logits(rows_at(states, batch.targets)).float()
        outcome = cross_entropy(logits_NV, batch.tokens[batch.targets], model.training)
        T = self.temperature
        soft = nn.functional.kl_div(
            (logits_NV / T).log_softmax(-1), (wanted_NV / T).log_softmax(-1),
            reduction="sum", log_target=True,
        )  # fmt: skip
        # Gradients of the soft term shrink with the square of the temperature.
        loss = (1 - TEACHER_SHARE) * outcome.loss + TEACHER_SHARE * T**2 * soft
        return outcome._replace(loss=loss)
