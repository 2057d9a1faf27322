"""Several pieces of one operation at once, each on one core.

torch shares each small matrix product between all cores and lets them wait for each other after it;
pieces that need nothing from each other need not wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import islice
from threading import Barrier
from typing import TypeVar

import torch

Piece, Answer = TypeVar("Piece"), TypeVar("Answer")
# Pieces of a round of answers for each thread: the longer a round, the less its end is waited for.
ROUND = 4


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
    casts, short = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def some() -> None:
        # Not as a context: its end would throw away the weights that all threads have cast.
        torch.set_autocast_enabled("cpu", casts)
        torch.set_autocast_dtype("cpu", short)
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


def answers(work: Callable[[Piece], Answer], pieces: Iterable[Piece]) -> Iterator[Answer]:
    """What ``work`` answers to each piece, in their order, as :func:`side_by_side` computes it.

    Pieces are read from a stream, a round of them at a time.
    """
    threads, left = torch.get_num_threads(), iter(pieces)
    while some := list(islice(left, ROUND * threads)):
        found: list[Answer | None] = [None] * len(some)

        def answer(numbered: tuple[int, Piece], found: list[Answer | None] = found) -> None:
            number, piece = numbered
            found[number] = work(piece)

        numbered = list(enumerate(some))
        if 2 * len(some) > threads:
            side_by_side(answer, numbered)
        else:  # too few: each uses all threads
            for piece in numbered:
                answer(piece)
        yield from found


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
