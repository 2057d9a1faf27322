"""The classes that each training sequence is compared with where all are too many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pfamformer.command import atomic_path, log
from pfamformer.config import FinetuneSettings
from pfamformer.model.classifier import Classifier
from pfamformer.training.batches import InMemory
from pfamformer.training.device import autocast
from pfamformer.training.reading import read

# Of the compared classes: those drawn at random keep classes apart that never fit each other well.
RANDOM_SHARE = 0.25
# Batches between two lines of progress.
LOG_EVERY = 50


def hard_classes(
    model: Classifier,
    sequences: InMemory,
    labels: Tensor,
    settings: FinetuneSettings,
    folder: Path,
) -> Tensor:
    """The true class of every row, those that fit it best before training, and a few others.

    They are kept in ``folder`` until training ends, for a start that resumes.

    Args:
        labels: class of every row, (rows,).

    Returns:
        Shape (rows, K): K is ``settings.compared``, or all classes where they are fewer; the true
        class first, no class twice.
    """
    path = folder / "hard_classes.npy"
    if path.exists():
        return torch.from_numpy(np.load(path))
    device = next(model.parameters()).device
    stream = torch.Generator().manual_seed(settings.seed)
    found = torch.zeros(0)
    model.eval()
    done = 0
    with torch.inference_mode(), autocast(settings.precision, device):
        budget, longest = settings.tokens_per_batch, settings.max_length
        batches = read(model, lambda b: model(b.tokens).float().cpu(), sequences, budget, longest)
        for number, (batch, logits_BC) in enumerate(batches, 1):
            rows = torch.from_numpy(batch.rows)
            count = min(settings.compared, logits_BC.shape[1])
            if not len(found):
                found = torch.zeros(len(sequences), count, dtype=torch.long)
            found[rows] = _choose(logits_BC, labels[rows], count, stream)
            done += len(rows)
            if number % LOG_EVERY == 0:
                log.info("compared %d of %d sequences with all classes", done, len(sequences))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        np.save(out, found.numpy())
    return found.clone()


def _choose(logits_BC: Tensor, truth_B: Tensor, count: int, stream: torch.Generator) -> Tensor:
    """Classes in the order: the true one, the best others, random others; (B, count)."""
    infinity = float("inf")
    random = max(0, min(int(RANDOM_SHARE * count), count - 1))
    ranked = logits_BC.scatter(1, truth_B[:, None], infinity)
    best = ranked.topk(count - random, dim=1).indices
    lottery = torch.rand(ranked.shape, generator=stream).scatter(1, best, -infinity)
    return torch.cat([best, lottery.topk(random, dim=1).indices], 1)
