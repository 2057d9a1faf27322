"""Local and strided attention without the scores that it leaves out (Child et al. 2019).

A position sees its neighbours up to ``window`` away, and every ``stride``-th position of the whole
sequence. Scores are computed for chunks of ``window`` queries against three chunks of keys and the
strided keys: memory and time grow with L·(3·window + L/stride), not with L².
Axes: B sequences, H heads, L positions, D dimensions, N chunks, W window, S strided positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FORBIDDEN = -1e4  # far below any score, yet finite in bfloat16


def sparse_mask(length: int, window: int, stride: int | None, device: torch.device) -> Tensor:
    """The same pattern as a dense mask, (L, L): where the weights are wanted."""
    place = torch.arange(length, device=device)
    near_LL = (place[:, None] - place).abs() <= window
    return near_LL if stride is None else near_LL | (place % stride == 0)


def sparse_attention(
    q_BHLD: Tensor,
    k_BHLD: Tensor,
    v_BHLD: Tensor,
    present_BL: Tensor | None,
    window: int,
    stride: int | None,
) -> Tensor:
    """Softmax over the allowed positions, (B, H, L, D)."""
    B, _, L, D = q_BHLD.shape
    rest = -L % window
    chunks = (L + rest) // window
    q_BHNWD = F.pad(q_BHLD * D**-0.5, (0, 0, 0, rest)).unflatten(2, (chunks, window))
    near = [
        F.pad(x, (0, 0, window, window + rest)).unfold(2, 3 * window, window)
        for x in (k_BHLD, v_BHLD)
    ]  # (B, H, N, D, 3W)
    place = torch.arange(L, device=q_BHLD.device)
    if present_BL is None:
        present_BL = torch.ones(B, L, dtype=torch.bool, device=q_BHLD.device)
    present_BN1K = F.pad(present_BL, (window, window + rest)).unfold(1, 3 * window, window)[
        :, :, None
    ]
    offset_WK = torch.arange(3 * window, device=place.device) - window
    offset_WK = offset_WK - torch.arange(window, device=place.device)[:, None]
    seen_BNWK = present_BN1K & (offset_WK.abs() <= window)
    scores = [_masked(q_BHNWD @ near[0], seen_BNWK[:, None])]
    if stride is not None:
        k_BHDS, v_BHSD = k_BHLD[:, :, ::stride].mT, v_BHLD[:, :, ::stride]
        row_NW1 = torch.arange(L + rest, device=place.device).view(chunks, window, 1)
        far_NWS = (row_NW1 - place[::stride]).abs() > window
        seen_BNWS = present_BL[:, None, None, ::stride] & far_NWS
        scores.append(_masked(q_BHNWD @ k_BHDS[:, :, None], seen_BNWS[:, None]))
    weights = torch.cat(scores, dim=-1).softmax(-1)
    out_BHNWD = weights[..., : 3 * window] @ near[1].mT
    if stride is not None:
        out_BHNWD = out_BHNWD + weights[..., 3 * window :] @ v_BHSD[:, :, None]
    return out_BHNWD.flatten(2, 3)[:, :, :L]


def _masked(scores: Tensor, seen: Tensor) -> Tensor:
    return scores.masked_fill(~seen, FORBIDDEN)
