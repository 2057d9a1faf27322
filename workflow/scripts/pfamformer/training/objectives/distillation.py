"""Distillation: a network learns the distributions of a trained one (Hinton et al. 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome, cross_entropy, rows_at
from pfamformer.training.objectives.classification import Classification
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


class TaughtClassification(Classification):
    """Cross-entropy with the truth and with what teachers say of each row.

    Args:
        labels: class of every row, (rows,).
        classes: the likeliest classes of every row for the teachers, (rows, K).
        shares: probabilities of these at the temperature, which sum to 1, (rows, K).
        temperature: softens the network's distribution too.
    """

    def __init__(self, labels: Tensor, classes: Tensor, shares: Tensor, temperature: float) -> None:
        super().__init__(labels)
        self.classes, self.shares, self.temperature = classes, shares, temperature

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Both losses in one sum; accuracy against the truth."""
        rows = torch.from_numpy(batch.rows)
        logits_BC = model(batch.inputs).float()
        outcome = cross_entropy(logits_BC, self.labels[rows], model.training)
        T = self.temperature
        classes_BK = self.classes[rows].to(logits_BC.device)
        said_BK = (logits_BC / T).log_softmax(-1).gather(1, classes_BK)
        soft = -(self.shares[rows].to(said_BK) * said_BK).sum()
        loss = (1 - TEACHER_SHARE) * outcome.loss + TEACHER_SHARE * T**2 * soft
        return outcome._replace(loss=loss)
