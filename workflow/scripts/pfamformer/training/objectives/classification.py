"""One class per sequence, or one of each of several kinds at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome, cross_entropy


class Classification:
    """Cross-entropy of one class per sequence.

    Args:
        labels: class of every row of the data set, shape (rows,).
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw."""
        return replace(batch, total=len(batch.rows))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the batch's rows."""
        truth_B = self.labels[torch.from_numpy(batch.rows)]
        return cross_entropy(model(batch.inputs), truth_B, model.training)


class AgainstFew:
    """Cross-entropy of the true class among a few that each sequence is compared with.

    Args:
        classes: classes of every row, the true one first, shape (rows, K); no class twice in a row.
    """

    def __init__(self, classes: Tensor) -> None:
        self.classes = classes

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw."""
        return replace(batch, total=len(batch.rows))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the batch's rows; ``model.few`` gives the logits."""
        classes_BK = self.classes[torch.from_numpy(batch.rows)]
        first_B = torch.zeros(len(batch.rows), dtype=torch.long)
        return cross_entropy(model.few(batch.inputs, classes_BK), first_B, model.training)


class SeveralLabels(Classification):
    """Several classifications of the same sequences at once, from one pass of the encoder.

    The first is the task proper: its accuracy counts. The model gives logits by task name
    (``tasks(tokens_BL)``).

    Args:
        labels: by task, the class of every row; −1 where it has none.
        weights: by task, of its loss.
    """

    def __init__(self, labels: Mapping[str, Tensor], weights: Mapping[str, float]) -> None:
        self.tasks, self.weights = dict(labels), weights
        super().__init__(next(iter(labels.values())))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """The weighted sum of all losses."""
        rows = torch.from_numpy(batch.rows)
        outcomes = []
        for name, logits_BC in model.tasks(batch.inputs).items():
            truth_B = self.tasks[name][rows]
            known_B = (truth_B >= 0).nonzero().squeeze(1)
            logits_NC = logits_BC[known_B.to(logits_BC.device)]
            outcome = cross_entropy(logits_NC, truth_B[known_B], model.training)
            outcomes.append(outcome._replace(loss=self.weights[name] * outcome.loss))
        return outcomes[0]._replace(loss=sum(outcome.loss for outcome in outcomes))
