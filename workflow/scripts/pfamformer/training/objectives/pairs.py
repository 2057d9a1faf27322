"""Whether pairs of residues touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome

#: Pairs nearer along the chain touch whatever the fold (Rao et al. 2019): they are not predicted.
NEAREST = 6


class Pairs:
    """Binary cross-entropy of each pair of residues that were seen, at least 6 apart.

    Args:
        seen: which residues of every row have a position, arrays of shape (L,).
        contacts: pairs of residues of every row that touch, 0-based, arrays of shape (contacts, 2).
    """

    def __init__(self, seen: Sequence[np.ndarray], contacts: Sequence[np.ndarray]) -> None:
        self.seen, self.contacts = seen, contacts

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Place residues and contacts behind ``<cls>``; nothing to draw."""
        rows, length = batch.inputs.shape
        seen_BL = torch.zeros(rows, length, dtype=torch.bool)
        touch_BLL = torch.zeros(rows, length, length, dtype=torch.bool)
        for i, row in enumerate(batch.rows):
            seen_BL[i, 1 : len(self.seen[row]) + 1] = torch.from_numpy(self.seen[row])
            first, second = torch.from_numpy(self.contacts[row] + 1).T
            touch_BLL[i, first, second] = True
        extra = {"seen": seen_BL, "touch": touch_BLL}
        return replace(batch, extra=extra, total=int(judged(seen_BL).sum()))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy summed over pairs; right are those on the right side of one half."""
        logits_BLL = model(batch.inputs)
        at = judged(batch.extra["seen"].to(logits_BLL.device))
        logits_N = logits_BLL[at].float()
        touch_N = batch.extra["touch"].to(logits_BLL.device)[at]
        loss = F.binary_cross_entropy_with_logits(logits_N, touch_N.float(), reduction="sum")
        return Outcome(loss, torch.tensor(len(touch_N)), ((logits_N > 0) == touch_N).sum())


def judged(seen_BL: Tensor) -> Tensor:
    """The pairs i < j that count, (B, L, L)."""
    return (seen_BL[:, :, None] & seen_BL[:, None]).triu(NEAREST)
