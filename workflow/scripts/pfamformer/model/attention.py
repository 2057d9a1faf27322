"""Scaled dot-product attention behind one function, by the fastest exact path for the device.

Axes: B sequences, H heads, L positions, D dimensions of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# On CPUs torch's fused kernel spends most of its time in a slow bfloat16 backward pass; writing the
# matrix products out is 2-5 times faster until the (L, L) matrices outgrow the cache.
EXPLICIT_LENGTH = 640
# Far below any score, yet finite in bfloat16: a row of only padding stays free of NaN.
MINUS_INFINITY = -1e4


def attend(q_BHLD: Tensor, k_BHLD: Tensor, v_BHLD: Tensor, mask_BL: Tensor | None) -> Tensor:
    """Softmax(q·kᵀ/√D)·v, shape (B, H, L, D).

    Args:
        mask_BL: true at positions that may be attended to; None when all may.
    """
    explicit = (
        q_BHLD.device.type == "cpu"
        and q_BHLD.dtype == torch.bfloat16
        and q_BHLD.shape[2] <= EXPLICIT_LENGTH
    )
    if explicit:
        return weights(q_BHLD, k_BHLD, mask_BL) @ v_BHLD
    mask = None if mask_BL is None else mask_BL[:, None, None, :]
    return F.scaled_dot_product_attention(q_BHLD, k_BHLD, v_BHLD, attn_mask=mask)


def weights(q_BHLD: Tensor, k_BHLD: Tensor, mask_BL: Tensor | None) -> Tensor:
    """The attention weights themselves, shape (B, H, L, L); rows sum to one."""
    scores_BHLL = (q_BHLD * q_BHLD.shape[-1] ** -0.5) @ k_BHLD.transpose(-1, -2)
    if mask_BL is not None:
        bias = torch.where(mask_BL, 0.0, MINUS_INFINITY).to(scores_BHLL.dtype)
        scores_BHLL = scores_BHLL + bias[:, None, None, :]
    return scores_BHLL.softmax(-1)
