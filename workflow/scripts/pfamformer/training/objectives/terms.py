"""Many terms per sequence, each judged where its conditions hold."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from pfamformer.tasks.term_targets import Conditions
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome


class Terms:
    """Independent binary cross-entropy of every term that can be judged.

    With parents as conditions this is the likelihood of all terms of a protein together.

    Args:
        truth: of every row of the data set, as :func:`pfamformer.tasks.term_targets.truth_of`.
    """

    def __init__(self, truth: csr_matrix, conditions: Conditions) -> None:
        self.truth, self.terms = truth, len(conditions.terms)
        self.pairs_2P = torch.from_numpy(conditions.pairs.T.copy())

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Look up what is true and what can be judged."""
        has_BC = torch.from_numpy(self.truth[batch.rows].toarray())
        judged_BT = judged(has_BC, self.pairs_2P, self.terms)
        extra = {"has": has_BC[:, : self.terms], "judged": judged_BT}
        return replace(batch, extra=extra, total=int(judged_BT.sum()))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Loss summed over judged terms; right are those on the right side of one half."""
        logits_BT = model(batch.inputs)
        at = batch.extra["judged"].to(logits_BT.device)
        logits_N, has_N = logits_BT[at], batch.extra["has"].to(logits_BT.device)[at]
        loss = F.binary_cross_entropy_with_logits(logits_N, has_N, reduction="sum")
        right = (logits_N > 0) == (has_N > 0)
        return Outcome(loss, torch.tensor(len(has_N)), right.sum())


def judged(has_BC: Tensor, pairs_2P: Tensor, terms: int) -> Tensor:
    """Where all conditions of a term hold, (B, T)."""
    lacking_BT = has_BC.new_zeros(len(has_BC), terms)
    lacking_BT.index_add_(1, pairs_2P[0], 1 - has_BC[:, pairs_2P[1]])
    return lacking_BT == 0
