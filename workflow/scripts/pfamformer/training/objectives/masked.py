"""Masked language modelling: hide residues, predict them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from pfamformer.sequences.alphabet import MASK, TOKENS
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import (
    FIRST,
    LAST,
    Outcome,
    cross_entropy,
    rows_at,
    standard,
)


def inverse_frequency(counts: np.ndarray) -> Tensor:
    """A weight per token, (V,): inverse to its frequency, 1 on average over the corpus's residues.

    Args:
        counts: occurrences of each token, shape (33,); standard residues that never occur, and
            all other tokens, weigh nothing.
    """
    weights = torch.zeros(len(TOKENS))
    chosen = torch.from_numpy(counts[FIRST : LAST + 1].astype(np.float64))
    present = chosen > 0
    share = chosen / chosen.sum()
    weights[FIRST : LAST + 1][present] = (1 / (present.sum() * share[present])).float()
    return weights


class MaskedLanguageModelling:
    """BERT's objective: predict chosen residues (study, section 3.2; Devlin et al. 2019).

    Args:
        share: of residues that become targets.
        masked, random: shares of targets replaced by ``<mask>`` and by a random residue; the rest
            stays as it is.
        draw_V: how much likelier each token is drawn than the average (study, section 2.4).
        weight_V: weight of each token in the loss.
        merges: tokens of several residues, which are drawn like residues.
    """

    def __init__(
        self, share: float, masked: float, random: float,
        draw_V: Tensor | None = None, weight_V: Tensor | None = None, merges: int = 0,
    ) -> None:  # fmt: skip
        self.merges = merges
        self.share, self.masked, self.random = share, masked, random
        self.draw_V, self.weight_V = draw_V, weight_V

    def choose(self, tokens_BL: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Targets among the standard residues, and a number in [0, 1) that decides their fate."""
        chance = torch.rand(tokens_BL.shape, generator=stream)
        fate = torch.rand(tokens_BL.shape, generator=stream)
        limit = self.share if self.draw_V is None else self.share * self.draw_V[tokens_BL]
        return standard(tokens_BL) & (chance < limit), fate

    def corrupt(self, tokens_BL: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Corrupted tokens and the mask of targets, both (B, L); targets are standard residues."""
        target, fate = self.choose(tokens_BL, stream)
        other = torch.randint(FIRST, LAST + 1 + self.merges, tokens_BL.shape, generator=stream)
        other = torch.where(other > LAST, other - (LAST + 1) + len(TOKENS), other)
        corrupted = torch.where(target & (fate < self.masked), MASK, tokens_BL)
        swap = target & (fate >= self.masked) & (fate < self.masked + self.random)
        return torch.where(swap, other, corrupted), target

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Draw targets and corrupt them."""
        inputs, targets = self.corrupt(batch.tokens, stream)
        return replace(batch, inputs=inputs, targets=targets, total=int(targets.sum()))

    def context_free_loss(self, counts: np.ndarray) -> float:
        """Least expected loss, nats, of a network that looks at one position at a time.

        At ``<mask>`` it can only answer with the frequencies; at any other target it weighs the
        chance that the residue it sees was left alone against that of a random one. A lower loss
        means that the network uses context. Weights of the loss are not considered.

        Args:
            counts: occurrences of each token, shape (tokens,).
        """
        residues, merged = counts[FIRST : LAST + 1], counts[len(TOKENS) :]
        shares = np.concatenate((residues, merged)).astype(float)
        if self.draw_V is not None:
            shares = shares * self.draw_V[FIRST : LAST + 1].numpy()
        shares = shares / shares.sum()
        kept = 1 - self.masked - self.random
        # Chance of each true residue (row) with each input (column): residues, then the mask.
        joint = np.outer(shares, np.full(len(shares), self.random / len(shares)))
        joint += np.diag(kept * shares)
        joint = np.column_stack([joint, self.masked * shares])
        answer = joint / np.maximum(joint.sum(axis=0), np.finfo(float).tiny)
        return float(-(joint * np.log(np.where(joint > 0, answer, 1))).sum())

    def logits(self, model: nn.Module, x_ND: Tensor) -> Tensor:
        """Token logits (N, V) of final embeddings."""
        return model.logits(x_ND)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Cross-entropy of the targets; the head is computed at targets only."""
        x_ND = rows_at(model.encoder(batch.inputs), batch.targets)
        truth_N = batch.tokens[batch.targets]
        return cross_entropy(self.logits(model, x_ND), truth_N, model.training, self.weight_V)


class SpanMasking(MaskedLanguageModelling):
    """Whole stretches are hidden: text infilling for an encoder (study, section 2.4).

    Lengths are Poisson (Lewis et al. 2020), at least 1. An encoder predicts each position, so a
    stretch keeps its length, and its residues share one fate (Joshi et al. 2020).

    Args:
        mean: of the Poisson distribution, residues.
    """

    def __init__(
        self, share: float, masked: float, random: float, mean: float, merges: int = 0
    ) -> None:
        super().__init__(share, masked, random, merges=merges)
        self.mean = mean
        self.longest = round(mean + 6 * math.sqrt(mean)) + 1  # beyond it: one span in a million
        self.rate = self._starting_rate()

    def _starting_rate(self) -> float:
        """Chance that a span starts at a position, so that ``share`` is covered with overlaps."""
        length = np.arange(self.longest + 1)
        factorial = [math.lgamma(n + 1) for n in length]
        chance = np.exp(-self.mean + length * np.log(self.mean) - factorial)
        chance[1] += chance[0]
        reaches = chance[::-1].cumsum()[::-1][1:]  # P(length > 0), P(length > 1), …
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            covered = 1 - np.prod(1 - middle * reaches)
            low, high = (middle, high) if covered < self.share else (low, middle)
        return low

    def choose(self, tokens_BL: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Targets in stretches; each stretch has one fate."""
        shape = tokens_BL.shape
        starts = torch.rand(shape, generator=stream) < self.rate
        lengths = torch.poisson(torch.full(shape, self.mean), generator=stream)
        lengths = lengths.clamp(1, self.longest)
        fate = torch.rand(shape, generator=stream)
        target = torch.zeros(shape, dtype=torch.bool)
        origin = torch.zeros(shape, dtype=torch.int64)
        place = torch.arange(shape[1]).expand(shape)
        for reach in range(min(self.longest, shape[1])):
            here = starts & (lengths > reach)
            target[:, reach:] |= here[:, : shape[1] - reach]
            moved = torch.where(here, place, 0)[:, : shape[1] - reach]
            origin[:, reach:] = torch.maximum(origin[:, reach:], moved)
        return target & standard(tokens_BL), fate.gather(1, origin)
