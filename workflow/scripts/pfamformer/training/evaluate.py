"""Validation of an objective, and predictions of a classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from pfamformer.config import TrainingSettings
from pfamformer.training.batches import Batch, Merge, Sequences
from pfamformer.training.device import autocast, hash_of
from pfamformer.training.metrics import Calibration
from pfamformer.training.objectives import Objective
from pfamformer.training.reading import read


def evaluate(
    model: nn.Module, objective: Objective, batches: Iterable[Batch], settings: TrainingSettings
) -> dict[str, float]:
    """Loss (nats per target), accuracy and calibration error, with fixed random choices."""
    device = next(model.parameters()).device
    stream = torch.Generator().manual_seed(hash_of(settings.seed, -1))
    loss = right = targets = 0.0
    calibration = Calibration()
    model.eval()
    # Not inference_mode: sharded layers make buffers here that training goes on with.
    with torch.no_grad(), autocast(settings.precision, device):
        for batch in batches:
            outcome = objective(model, objective.prepare(batch, stream))
            loss += float(outcome.loss)
            right += int(outcome.right)
            targets += int(outcome.targets)
            if outcome.confidence_N is not None:
                calibration.add(outcome.confidence_N, outcome.hit_N)
    return {
        "loss": loss / max(1, targets),
        "accuracy": right / max(1, targets),
        "ece": calibration.error(),
    }


def predict(
    model: nn.Module,
    sequences: Sequences,
    settings: TrainingSettings,
    merge: Merge | None = None,
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Yield batches with their class probabilities (B, classes), float32, on the CPU."""
    device = next(model.parameters()).device
    model.eval()

    def probabilities(batch: Batch) -> torch.Tensor:
        return model(batch.tokens).float().softmax(-1).cpu()

    with torch.inference_mode(), autocast(settings.precision, device):
        budget, longest = settings.tokens_per_batch, settings.max_length
        yield from read(model, probabilities, sequences, budget, longest, merge)
