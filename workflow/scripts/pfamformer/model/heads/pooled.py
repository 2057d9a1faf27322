"""Pooling of embeddings before one projection: the head of ProtCNN and a plain mean."""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import HeadSettings
from pfamformer.model.heads.pooling import max_over_residues, mean_over_residues


class PoolMax(nn.Module):
    """Maximum of each embedding dimension over residues, then a projection.

    Source: Bileschi et al. 2022 (ProtCNN), with dropout on the pooled vector where asked for.
    """

    pool = staticmethod(max_over_residues)

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings.head_dropout)
        self.project = nn.Linear(width, classes)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.project(self.dropout(self.pool(x_BLD, residue_BL)))


class PoolMean(PoolMax):
    """The same with the mean."""

    pool = staticmethod(mean_over_residues)
