"""PredEach: every residue is classified, the decisions are pooled (study, figure 5)."""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import HeadSettings
from pfamformer.model.heads.pooling import max_over_residues, mean_over_residues


class PredEachMean(nn.Module):
    """Project each residue to the classes, then take the mean."""

    pool = staticmethod(mean_over_residues)

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.project = nn.Linear(width, classes)

    def residues(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits of each position (B, L, C); meaningless where there is no residue."""
        return self.project(x_BLD)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.pool(self.residues(x_BLD, residue_BL), residue_BL)


class PredEachMax(PredEachMean):
    """The same with the maximum: the most convinced residue decides, class by class."""

    pool = staticmethod(max_over_residues)
