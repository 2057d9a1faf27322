"""LinAttn: a last attention layer without feed-forward part (study, section 3.5).

The ``<cls>`` vector asks, the residues answer, and nothing non-linear follows: the class logits are
a sum over residues of (attention weight) × (what the residue says), so each residue's part in the
decision can be read off exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import HeadSettings

# The usual size of an attention head, and small enough that a narrow network has several.
HEAD_WIDTH = 32


class LinearAttention(nn.Module):
    """Multi-head attention of ``<cls>`` over residues, then a linear projection to the classes.

    There is no residual connection: a share of the decision that comes from ``<cls>`` itself could
    not be traced to residues.
    """

    def __init__(self, width: int, classes: int, settings: HeadSettings) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD_WIDTH)
        inner = self.heads * (width // self.heads)
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.project = nn.Linear(inner, classes)

    def weights(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Attention of ``<cls>`` to every position (B, H, L); 0 where there is no residue."""
        B, L, _ = x_BLD.shape
        q_BHD = self.query(x_BLD[:, 0]).view(B, self.heads, -1)
        k_BLHD = self.key(x_BLD).view(B, L, self.heads, -1)
        scores_BHL = torch.einsum("bhd,blhd->bhl", q_BHD, k_BLHD) * q_BHD.shape[-1] ** -0.5
        lowest = torch.finfo(scores_BHL.dtype).min
        return scores_BHL.masked_fill(~residue_BL[:, None], lowest).softmax(-1)

    def forward(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """Class logits (B, C)."""
        B, L, _ = x_BLD.shape
        v_BLHD = self.value(x_BLD).view(B, L, self.heads, -1)
        weights_BHL = self.weights(x_BLD, residue_BL).to(v_BLHD.dtype)
        return self.project(torch.einsum("bhl,blhd->bhd", weights_BHL, v_BLHD).reshape(B, -1))

    def residues(self, x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
        """What each position adds to each class logit (B, L, C); with the bias they sum to it."""
        B, L, _ = x_BLD.shape
        v_BLHD = self.value(x_BLD).view(B, L, self.heads, -1)
        weights_BHL = self.weights(x_BLD, residue_BL).to(v_BLHD.dtype)
        said_BLI = (v_BLHD * weights_BHL.transpose(1, 2)[..., None]).reshape(B, L, -1)
        return said_BLI @ self.project.weight.T
