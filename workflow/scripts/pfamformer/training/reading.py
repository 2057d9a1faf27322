"""Sequences read by a finished network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from torch import nn

from pfamformer.model.encoder import Encoder
from pfamformer.model.side_by_side import answers
from pfamformer.training.batches import Batch, Merge, Sequences, read_in_order

Answer = TypeVar("Answer")
# One core's batches are so much smaller: two of them need the memory of one that all share.
# Whatever the number of cores, so that results do not depend on it.
CORE_SHARE = 2
# Not fewer tokens than that: in small networks calling operations takes as long as they do.
LEAST = 2048


def read(
    network: nn.Module,
    answer: Callable[[Batch], Answer],
    sequences: Sequences,
    budget: int,
    max_length: int,
    merge: Merge | None = None,
) -> Iterator[tuple[Batch, Answer]]:
    """Yield batches of all sequences, sorted by length, with what ``answer`` makes of each.

    On a CPU each core reads batches of its own: nothing waits for the other cores after each
    operation. No gradients are recorded there.

    Args:
        answer: calls the network.
        budget: tokens of a batch, padding included; of :data:`CORE_SHARE` batches where each core
            reads its own.
        max_length: residues; longer sequences are cut at the end.
    """

    def paired(batch: Batch) -> tuple[Batch, Answer]:
        return batch, answer(batch)

    if reads_on_one_core(network):
        batches = read_in_order(sequences, of_one_core(budget), max_length, merge)
        yield from answers(paired, batches)
    else:
        yield from map(paired, read_in_order(sequences, budget, max_length, merge))


def of_one_core(budget: int) -> int:
    """Tokens of one core's batch."""
    return max(budget // CORE_SHARE, min(budget, LEAST))


def reads_on_one_core(network: nn.Module) -> bool:
    """Whether a core of its own is best for each batch: Transformers on CPUs.

    Others bring more than one core to use in compiled code or in convolutions; layers compiled by
    torch keep to one thread.
    """
    return next(network.parameters()).device.type == "cpu" and any(
        isinstance(module, Encoder) and not module.compiled for module in network.modules()
    )
