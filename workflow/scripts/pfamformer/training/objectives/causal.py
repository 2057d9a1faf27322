"""Predicting residues from those before them: in order of the sequence, or in a random order."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from pfamformer.model.attention import Pattern
from pfamformer.sequences.alphabet import MASK, PAD
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import Outcome, cross_entropy, rows_at, standard


class Autoregressive:
    """Predict every residue from the ones before it (study, section 2.4)."""

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """All standard residues are targets."""
        targets = standard(batch.tokens)
        return replace(batch, targets=targets, total=int(targets.sum()))

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the next residue; attention sees the past alone."""
        x_BLD = model.encoder(batch.inputs, Pattern(causal=True))
        asked_BL = torch.zeros_like(batch.targets)
        asked_BL[:, :-1] = batch.targets[:, 1:]
        logits_NV = model.logits(rows_at(x_BLD, asked_BL))
        return cross_entropy(logits_NV, batch.tokens[batch.targets], model.training)


class Permutation:
    """Predict the last residues of a random order from those before them (Yang et al. 2019).

    The two streams of XLNet are one sequence here: the residues themselves, which see what comes no
    later in the order, and behind them one ``<mask>`` per target at the target's position, which
    sees what comes before it. Special tokens come first in the order.

    Args:
        share: of residues, the last of the order, that are predicted.
    """

    def __init__(self, share: float) -> None:
        self.share = share

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Draw the order and lay the questions behind the residues."""
        tokens = batch.tokens
        residue = standard(tokens)
        chance = torch.rand(tokens.shape, generator=stream)
        # Residues come in the order of their chance, everything else before them.
        order_BL = torch.where(residue, chance, -1.0)
        rank_BL = order_BL.argsort(1).argsort(1)
        rank_BL = torch.where(residue, rank_BL, -1)
        count_B1 = (residue.sum(1, keepdim=True) * self.share).ceil().long()
        targets = residue & (rank_BL >= tokens.shape[1] - count_B1)
        questions = int(targets.sum(1).max())
        place_BQ = targets.long().argsort(dim=1, descending=True, stable=True)[:, :questions]
        asked_BQ = targets.gather(1, place_BQ)
        mask_BQ = torch.where(asked_BQ, MASK, PAD)
        place_BL = torch.arange(tokens.shape[1]).expand(tokens.shape)
        extra = {
            "positions": torch.cat((place_BL, place_BQ), 1),
            "rank": torch.cat((rank_BL, rank_BL.gather(1, place_BQ)), 1),
            "truth": torch.where(asked_BQ, tokens.gather(1, place_BQ), -1),
        }
        return replace(
            batch, inputs=torch.cat((tokens, mask_BQ), 1), targets=targets, extra=extra,
            total=int(targets.sum()),
        )  # fmt: skip

    @staticmethod
    def pattern(rank_BK: Tensor, length: int) -> Pattern:
        """Who sees whom among residues (the first ``length``) and questions, (B, K, K)."""
        question_K = torch.arange(rank_BK.shape[1]) >= length
        before = rank_BK[:, None] < rank_BK[:, :, None]
        same = rank_BK[:, None] == rank_BK[:, :, None]
        content = ~question_K[None, None] & (before | (same & ~question_K[None, :, None]))
        itself = torch.eye(rank_BK.shape[1], dtype=torch.bool)
        return Pattern(allowed_BLL=content | itself)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the targets at their questions."""
        length = batch.tokens.shape[1]
        device = next(model.parameters()).device
        allowed = self.pattern(batch.extra["rank"], length).allowed_BLL.to(device)
        x_BKD = model.encoder(batch.inputs, Pattern(allowed_BLL=allowed), batch.extra["positions"])
        asked_BQ = batch.extra["truth"] >= 0
        logits_NV = model.logits(rows_at(x_BKD[:, length:], asked_BQ))
        return cross_entropy(logits_NV, batch.extra["truth"][asked_BQ], model.training)
