"""Pooling over the residues of padded sequences."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_over_residues(x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
    """Mean over the positions where ``residue_BL`` is true, (B, D)."""
    weights_BL1 = residue_BL.to(x_BLD.dtype)[..., None]
    return (x_BLD * weights_BL1).sum(1) / weights_BL1.sum(1).clamp(min=1)


def max_over_residues(x_BLD: Tensor, residue_BL: Tensor) -> Tensor:
    """Maximum over the positions where ``residue_BL`` is true, (B, D)."""
    return x_BLD.masked_fill(~residue_BL[..., None], torch.finfo(x_BLD.dtype).min).amax(1)
