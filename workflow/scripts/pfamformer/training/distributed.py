"""Several processes, one global batch: each takes a share of its rows, gradients are summed.

Started by torchrun, which sets RANK, WORLD_SIZE and LOCAL_RANK. With one process nothing here costs
anything. The result is that of one process on the same global batch, up to the order of sums.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pfamformer.training.batches import Batch
from pfamformer.training.sharded import is_share


@dataclass(frozen=True)
class Team:
    """This process among the others.

    Attributes:
        sharded: the network is divided over the processes: none can compute without the others.
    """

    rank: int = 0
    size: int = 1
    sharded: bool = False

    @property
    def leads(self) -> bool:
        """Whether this process writes files and log lines."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum a small tensor over processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def share_of(self, batch: Batch) -> tuple[Batch, float]:
        """What this process computes of a batch, and how much that counts.

        Of a sharded network every process computes something: where there are fewer rows than
        processes, the others repeat the first row, which counts 0.
        """
        share = batch.share(self.rank, self.size)
        if len(share.rows) or not self.sharded:
            return share, 1.0
        return batch.share(0, self.size), 0.0

    def sum_gradients(self, model: nn.Module) -> None:
        """Add up the gradients of all processes, in one message.

        A parameter that no process used keeps no gradient, as with one process. Shares of sharded
        layers have been summed on the way.
        """
        if self.size == 1:
            return
        learning = [p for p in model.parameters() if p.requires_grad and not is_share(p)]
        used = torch.tensor([float(p.grad is not None) for p in learning])
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
        flat = torch.cat([used.to(parts[0]), *(g.reshape(-1) for g in parts)])
        dist.all_reduce(flat)
        used, *parts = flat.split([len(learning), *(p.numel() for p in learning)])
        for parameter, part, users in zip(learning, parts, used.tolist(), strict=True):
            parameter.grad = part.view_as(parameter) if users else None

    def agree(self, stop: bool, save: bool) -> tuple[bool, bool]:
        """Whether any process was asked to stop, and whether the leading one wants to save."""
        if self.size == 1:
            return stop, save
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        wishes = torch.tensor([float(stop), float(save and self.leads)], device=device)
        stop, save = (bool(wish) for wish in self.total(wishes).tolist())
        return stop, save

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


def join_team(sharded: bool = False) -> Team:
    """Join the processes that torchrun started; a team of one without torchrun.

    Args:
        sharded: whether the network is divided over them.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Team(dist.get_rank(), size, sharded)
