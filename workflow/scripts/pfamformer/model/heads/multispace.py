"""Multispace: residues are projected to a larger space and pooled there (study, section 3.4)."""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import HeadSettings
from pfamformer.model.heads.pooling import max_over_residues, mean_over_residues

# The study says "larger" and no size: four times is the ratio of a Transformer's feed-forward part.
EXPANSION = 4


class MultispaceMax(nn.Module):
    """Project each residue to a larger space, take the maximum, project to the classes."""

    pool = staticmethod(max_over_residues)

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.expand = nn.Linear(width, EXPANSION * width)
        self.project = nn.Linear(EXPANSION * width, classes)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.project(self.pool(self.expand(x_BLD), residue_BL))


class MultispaceMean(MultispaceMax):
    """The same with the mean."""

    pool = staticmethod(mean_over_residues)
