"""Heads that read the ``<cls>`` vector alone."""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import HeadSettings


class Classic(nn.Module):
    """Linear projection of the final ``<cls>`` vector."""

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.project = nn.Linear(width, classes)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.project(x_BLD[:, 0])


class Dropout(Classic):
    """The same with dropout on the ``<cls>`` vector: the study's best head."""

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__(width, classes, settings)
        self.dropout = nn.Dropout(settings.head_dropout)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.project(self.dropout(x_BLD[:, 0]))
