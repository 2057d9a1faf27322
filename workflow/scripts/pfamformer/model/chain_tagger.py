"""A tagger that finds domains as chains of motifs.

The encoder ``chain`` holds the windows of every family's training profile. A family's best chain
anywhere on a protein says whether it is there, beside what the family finds by chance; the chains
of the few families that stand out say where. Each such segment is lengthened by a share of the
windows that it lacks, and small networks judge it from what is known about it.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from pfamformer.config import TaggerSettings
from pfamformer.model.chain import NEVER, Chain, best_chains
from pfamformer.model.chain_compiled import best_of_all, best_of_few
from pfamformer.model.chain_places import Ends, chain_ends
from pfamformer.model.classifier import residue_mask
from pfamformer.model.ungapped import Ungapped

#: Numbers that describe a segment.
EVIDENCE = 11
# Costs, bits: of a shift of up to `near` residues between two windows, of up to `far`, and of a
# window left out. Higher than for single domains: on whole proteins chance finds longer chains.
NEAR, FAR, SKIP = 6.0, 9.0, 6.0
# Networks that judge segments together, and their hidden units: some hundred weights each for some
# hundred right segments, so that one alone depends on where it started.
JUDGES, HIDDEN = 6, 16
# Of a random local alignment's score, per bit: -ln Pr(score >= x) grows by ln 2 (Karlin, Altschul).
BY_CHANCE = math.log(2)


class ChainTagger(nn.Module):
    """Chains of motifs on whole proteins.

    Args:
        windows: windows of each family's profile.

    Attributes:
        location: median, over proteins without a family, of its best score less log2 of the length
            (bits).
        rate: nats by which such scores become rarer with every bit.
    """

    def __init__(self, settings: TaggerSettings, windows: list[int]) -> None:
        super().__init__()
        self.encoder = Chain(settings.encoder, windows)
        self.reach = settings.encoder.near, settings.encoder.far
        self.shortlist = settings.encoder.shortlist
        self.costs = nn.Parameter(torch.tensor([NEAR, FAR, SKIP]))
        count = len(windows)
        self.location = nn.Parameter(torch.zeros(count))
        self.rate = nn.Parameter(torch.full((count,), BY_CHANCE))
        # Of the logarithm of the lengths of a family's training domains.
        self.length_mean = nn.Parameter(torch.full((count,), math.log(100)))
        self.length_spread = nn.Parameter(torch.ones(count))
        # Share of the windows missing at either end by which a segment is lengthened.
        self.lengthen = nn.Parameter(torch.zeros(2))
        self.judges = nn.ModuleList(
            nn.Sequential(nn.Linear(EVIDENCE, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1))
            for _ in range(JUDGES)
        )
        self.register_buffer("rank", torch.tensor(self.encoder.order).argsort(), persistent=False)

    def best(self, tokens_BL: Tensor) -> Tensor:
        """Best chain of every class anywhere on each protein, bits (B, C)."""
        if tokens_BL.device.type == "cpu":
            chains = self.encoder.compiled(self.reach, self.costs)
            found_BC = best_of_all(self.encoder.letters(tokens_BL), *chains)
            return torch.from_numpy(found_BC)[:, self.rank]
        found_BCL = self.encoder(tokens_BL).transpose(1, 2)
        parts = found_BCL.split(self.encoder.places, 1)
        kernel = self.encoder.kernel
        return best_chains(parts, kernel, *self.reach, self.costs)[:, self.rank]

    def best_listed(self, tokens_BL: Tensor) -> Tensor:
        """The same, but on a CPU of a shortlist of each protein's classes: the others have none.

        On other devices all chains together are fast enough.
        """
        if tokens_BL.device.type != "cpu" or len(self.rank) <= self.shortlist:
            return self.best(tokens_BL)
        letters = self.encoder.letters(tokens_BL)
        classes_BK = torch.from_numpy(self.ungapped.shortlist(letters, self.shortlist))
        listed_BK = self._listed(letters, classes_BK)
        found_BC = torch.full((len(letters), len(self.rank)), NEVER)
        return found_BC.scatter_(1, classes_BK, listed_BK)

    @cached_property
    def ungapped(self) -> Ungapped:
        """The profiles as they were when first asked for."""
        return Ungapped(self.encoder)

    def beyond_chance(self, bits: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
        """Nats by which scores of classes exceed what they find by chance in such lengths."""
        location, rate = self.location[classes], self.rate[classes]
        return (bits - location - lengths.log2()) * rate

    def judge(self, evidence_NE: Tensor) -> Tensor:
        """Log-odds of segments (N,), nats: the mean of all judges."""
        return torch.stack([judge(evidence_NE)[:, 0] for judge in self.judges]).mean(0)

    def few(self, tokens_BL: Tensor, classes_BK: Tensor) -> Tensor:
        """Best chains of a few classes of each protein, bits (B, K)."""
        if tokens_BL.device.type == "cpu":
            return self._listed(self.encoder.letters(tokens_BL), classes_BK)
        places, row_N = self.encoder.responses(tokens_BL, classes_BK)
        found_1N = best_chains(places, self.encoder.kernel, *self.reach, self.costs)
        return found_1N[0, row_N].view_as(classes_BK)

    def _listed(self, letters: list[np.ndarray], classes_BK: Tensor) -> Tensor:
        chains = self.encoder.compiled(self.reach, self.costs)
        return torch.from_numpy(best_of_few(letters, self.rank[classes_BK].numpy(), *chains))

    def ends(self, tokens_BL: Tensor, classes_BK: Tensor) -> Ends:
        """Chains of a few classes of each protein by their last position, (B·K, L).

        Positions are those of the tokens; chains never reach beyond the residues.
        """
        places, row_N = self.encoder.responses(tokens_BL, classes_BK)
        ends = chain_ends([p[0] for p in places], self.encoder.kernel, *self.reach, self.costs)
        return Ends(*(values[row_N] for values in ends))


def reversed_residues(tokens_BL: Tensor) -> Tensor:
    """The same sequences backwards: as alike in composition as a sequence without the domain is."""
    length_B = residue_mask(tokens_BL).sum(1, keepdim=True)
    position_1L = torch.arange(tokens_BL.shape[1], device=tokens_BL.device)[None]
    source_BL = (length_B + 1 - position_1L).clamp(min=0)
    inside_BL = (position_1L >= 1) & (position_1L <= length_B)
    return torch.where(inside_BL, tokens_BL.gather(1, source_BL), tokens_BL)
