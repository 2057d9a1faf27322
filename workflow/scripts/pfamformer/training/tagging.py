"""The objective of a residue tagger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pfamformer.model.tagger import FIRST, LAST, MIDDLE, OUTSIDE
from pfamformer.training.batches import Batch
from pfamformer.training.objectives import Outcome

#: Label of positions that are not residues.
IGNORED = -1


def kinds_of(labels: np.ndarray, starts: Sequence[int], ends: Sequence[int]) -> np.ndarray:
    """Kind of each residue, (L,) int8, from its family label and its domains.

    Args:
        labels: family number of each residue, negative outside.
        starts, ends: 0-based first and last residues of the domains.
    """
    kinds = np.where(labels < 0, OUTSIDE, MIDDLE).astype(np.int8)
    kinds[list(starts)] = FIRST
    kinds[list(ends)] = LAST
    return kinds


class Tagging:
    """Cross-entropy of every residue's kind, and of the family where it is inside a domain.

    Args:
        kinds: of the residues of every row, arrays of shape (L,).
        families: family number of the residues of every row, negative outside.
    """

    def __init__(self, kinds: Sequence[np.ndarray], families: Sequence[np.ndarray]) -> None:
        self.kinds, self.families = kinds, families

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw."""
        return batch

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Loss summed over residues; right are those whose kind and family are right."""
        device = next(model.parameters()).device
        kinds_BL = self._padded(self.kinds, batch).to(device)
        families_BL = self._padded(self.families, batch).to(device)
        residue = kinds_BL != IGNORED
        tags = model.tags(model.encoder(batch.inputs.to(device))[residue])
        kinds, families = kinds_BL[residue], families_BL[residue]
        inside = kinds != OUTSIDE
        loss = F.cross_entropy(tags.kinds.float(), kinds, reduction="sum") + F.cross_entropy(
            tags.families[inside].float(), families[inside], reduction="sum"
        )
        right = (tags.kinds.argmax(-1) == kinds) & (
            ~inside | (tags.families.argmax(-1) == families)
        )
        return Outcome(loss, torch.tensor(len(kinds)), right.sum())

    @staticmethod
    def _padded(values: Sequence[np.ndarray], batch: Batch) -> torch.Tensor:
        """Labels (B, L) at the positions of the batch's residues, behind ``<cls>``."""
        padded = np.full(tuple(batch.inputs.shape), IGNORED, dtype=np.int64)
        for i, row in enumerate(batch.rows):
            padded[i, 1 : len(values[row]) + 1] = values[row]
        return torch.from_numpy(padded)
