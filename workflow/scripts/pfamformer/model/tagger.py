"""A residue tagger: is each residue outside, or the first, a middle or the last one of a domain?

The kind of residue and the family are predicted apart, P(kind)·P(family | inside), so that the
output grows by one number per family and residue, not by three.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from pfamformer.config import NetworkSettings, TaggerSettings
from pfamformer.model.classifier import make_encoder
from pfamformer.model.encoder import initialise

#: Kinds of residues, in the order of the network's output.
OUTSIDE, FIRST, MIDDLE, LAST = range(4)


class Tags(NamedTuple):
    """Logits of kinds (…, 4) and of families (…, families)."""

    kinds: Tensor
    families: Tensor


class Tagger(nn.Module):
    """An encoder and two linear maps of each residue's final embedding."""

    def __init__(
        self, network: NetworkSettings | None, families: int, settings: TaggerSettings
    ) -> None:
        super().__init__()
        self.encoder, width = make_encoder(network, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.kinds = nn.Linear(width, 4)
        self.families = nn.Linear(width, families)
        for part in (self.kinds, self.families):
            part.apply(initialise)

    def tags(self, x_ND: Tensor) -> Tags:
        """Logits of final embeddings (N, D)."""
        x_ND = self.dropout(x_ND)
        return Tags(self.kinds(x_ND), self.families(x_ND))
