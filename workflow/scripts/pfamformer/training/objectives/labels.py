"""A state of every residue, or one value of every sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome, cross_entropy

#: State of a residue of which nothing is known.
UNKNOWN = -1


class States:
    """Cross-entropy of the state of every residue that has one.

    Args:
        states: of the residues of every row, arrays of shape (L,); :data:`UNKNOWN` where not known.
    """

    def __init__(self, states: Sequence[np.ndarray]) -> None:
        self.states = states

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Place the states behind ``<cls>``; nothing to draw."""
        padded = np.full(tuple(batch.inputs.shape), UNKNOWN, dtype=np.int64)
        for i, row in enumerate(batch.rows):
            padded[i, 1 : len(self.states[row]) + 1] = self.states[row]
        states = torch.from_numpy(padded)
        return replace(batch, extra={"states": states}, total=int((states != UNKNOWN).sum()))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy summed over residues."""
        states_BL = batch.extra["states"]
        known_BL = states_BL != UNKNOWN
        logits_BLS = model(batch.inputs)
        at = known_BL.to(logits_BLS.device)
        return cross_entropy(logits_BLS[at], states_BL[known_BL], model.training)


class Values:
    """Squared error of one value per sequence.

    Args:
        values: of every row, shape (rows,); of mean 0 and variance 1, or the learning rate has to
            follow their scale.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw."""
        return replace(batch, total=len(batch.rows))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Squared error summed over rows; none is right or wrong."""
        said_B = model(batch.inputs)[:, 0].float()
        truth_B = self.values[torch.from_numpy(batch.rows)].to(said_B)
        loss = (said_B - truth_B).square().sum()
        return Outcome(loss, torch.tensor(len(truth_B)), torch.zeros_like(loss))
