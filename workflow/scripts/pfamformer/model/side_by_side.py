"""Several pieces of one operation at once, each on one core.

torch shares each small matrix product between all cores and lets them wait for each other after it;
pieces that need nothing from each other need not wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from threading import Barrier
from typing import TypeVar

import torch

Piece = TypeVar("Piece")


def side_by_side(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Call ``work`` with each piece, in any order, as many at once as torch has threads.

    Pieces must not write to the same place. Nothing is recorded for a backward pass.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            work(piece)
        return
    left, inference = iter(pieces), torch.is_inference_mode_enabled()

    def some() -> None:
        with torch.inference_mode(inference), torch.no_grad():
            # Threads share the iterator: each takes the next piece.
            for piece in left:
                work(piece)

    helpers = [_helpers(threads).submit(some) for _ in range(threads - 1)]
    torch.set_num_threads(1)
    try:
        some()
    finally:
        wait(helpers)
        torch.set_num_threads(threads)
    for helper in helpers:
        helper.result()


@lru_cache(maxsize=1)
def _helpers(threads: int) -> ThreadPoolExecutor:
    """All threads but the caller's; in them torch uses no others."""
    helpers, all_there = ThreadPoolExecutor(threads - 1), Barrier(threads - 1)

    def prepare() -> None:
        torch.get_num_threads()  # else the first operation would set the process's number
        torch.set_num_threads(1)
        all_there.wait()

    for done in [helpers.submit(prepare) for _ in range(threads - 1)]:
        done.result()
    return helpers


# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_helpers.cache_clear)
