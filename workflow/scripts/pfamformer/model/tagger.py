"""A residue tagger: is each residue outside, or the first, a middle or the last one of a domain?

The kind of residue and the family are predicted apart, P(kind)·P(family | inside), so that the
output grows by one number per family and residue, not by three.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from pfamformer.config import NetworkSettings
from pfamformer.model.encoder import Encoder, initialise

#: Kinds of residues, in the order of the network's output.
OUTSIDE, FIRST, MIDDLE, LAST = range(4)


class Tags(NamedTuple):
    """Logits of kinds (…, 4) and of families (…, families)."""

    kinds: Tensor
    families: Tensor


class Tagger(nn.Module):
    """An encoder and two linear maps of each residue's final embedding."""

    def __init__(self, network: NetworkSettings, families: int, dropout: float) -> None:
        super().__init__()
        self.encoder = Encoder(network)
        self.dropout = nn.Dropout(dropout)
        self.kinds = nn.Linear(network.width, 4)
        self.families = nn.Linear(network.width, families)
        for part in (self.kinds, self.families):
            part.apply(initialise)

    def tags(self, x_ND: Tensor) -> Tags:
        """Logits of final embeddings (N, D)."""
        x_ND = self.dropout(x_ND)
        return Tags(self.kinds(x_ND), self.families(x_ND))
