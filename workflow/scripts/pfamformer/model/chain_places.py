"""Where the best chains of motifs lie: ends, starts and the windows between them.

The recurrence is that of :func:`pfamformer.model.chain.best_chains`; beside each chain's score it
carries where the chain began, so that no path has to be traced back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pfamformer.model.chain import NEVER


class Ends(NamedTuple):
    """The best chain of each pair of sequence and class that ends at each position, (N, L).

    Attributes:
        score: bits.
        start: position of its first window.
        first, last: numbers of its first and last window in the class's profile.
    """

    score: Tensor
    start: Tensor
    first: Tensor
    last: Tensor


def chain_ends(places: Iterable[Tensor], kernel: int, near: int, far: int, costs: Tensor) -> Ends:
    """The best chains of each pair by their last position.

    Args:
        places: responses of each place in the chain, (n, L); later ones may have fewer pairs,
            always the first of those before.
        kernel, near, far, costs: as for :func:`pfamformer.model.chain.best_chains`.
    """
    places = list(places)
    count, L = len(places), places[0].shape[1]
    # Where a chain began, in one number: its first position and its first window.
    position_L = torch.arange(L, device=places[0].device, dtype=torch.int32) * count
    chain = begun = score = origin = last = None
    for place, response in enumerate(places):
        here = response.float()
        n = len(here)
        anew = (position_L + place).expand(n, L)
        if chain is None:
            chain, begun = here, anew
            score, origin, last = here.clone(), anew.clone(), torch.zeros_like(anew)
            continue
        straight, from_straight = _moved(chain[:n], begun[:n], kernel)
        near_by = _running_best(*_moved(chain[:n], begun[:n], kernel - near), 2 * near)
        reached, source = _better(straight, from_straight, near_by[0] - costs[0], near_by[1])
        if far > near:
            distant = _running_best(*near_by, far - near)
            reached, source = _better(reached, source, distant[0] - costs[1], distant[1])
        ends, source = here + reached.relu(), torch.where(reached > 0, source, anew)
        chain, begun = _better(ends, source, straight - costs[2], from_straight)
        gain = ends > score[:n]
        score[:n] = torch.where(gain, ends, score[:n])
        origin[:n] = torch.where(gain, source, origin[:n])
        last[:n] = last[:n].masked_fill(gain, place)
    return Ends(score, origin // count, origin % count, last)


def _moved(x: Tensor, source: Tensor, by: int) -> tuple[Tensor, Tensor]:
    L = x.shape[-1]
    return F.pad(x, (by, 0), value=NEVER)[..., :L], F.pad(source, (by, 0))[..., :L]


def _better(x: Tensor, source: Tensor, other: Tensor, its: Tensor) -> tuple[Tensor, Tensor]:
    return torch.maximum(x, other), torch.where(other > x, its, source)


def _running_best(x: Tensor, source: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Maximum over each position and the ``reach`` before it, and its source, by doubling."""
    have = 1
    while have <= reach:
        step = min(have, reach + 1 - have)
        found = _better(x[..., step:], source[..., step:], x[..., :-step], source[..., :-step])
        x, source = (
            torch.cat([old[..., :step], new], -1)
            for old, new in zip((x, source), found, strict=True)
        )
        have += step
    return x, source
