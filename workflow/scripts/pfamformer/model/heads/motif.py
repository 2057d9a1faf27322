"""Best fits of motifs to classes: for the encoder ``motif``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import HeadSettings
from pfamformer.model.heads.pooling import max_over_residues

# Weight of a class's own motifs at the start, and what is left of the random weights: a class whose
# motifs all fit one standard deviation better than the average begins with a clear lead.
OWN, OTHERS = 0.5, 0.1


class MotifHead(nn.Module):
    """Maximum over residues, normalised over motifs, dropout, projection."""

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.head_dropout)
        self.project = nn.Linear(width, classes)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        return self.project(self.dropout(self.norm(max_over_residues(x_BLD, residue_BL))))

    @torch.no_grad()
    def trust_own_motifs(self, motifs: int) -> None:
        """Let each class start from its own ``motifs`` consecutive filters."""
        self.project.weight.mul_(OTHERS)
        for number, row in enumerate(self.project.weight):
            row[number * motifs : (number + 1) * motifs] += OWN
