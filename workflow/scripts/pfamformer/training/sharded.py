"""Networks that do not fit one GPU: each process keeps a share of every layer (FSDP2).

Weights of a layer, their gradients and their optimiser state are divided over the processes; a
layer is put together while it is computed and taken apart again. What lies outside the layers
(embedding, final norm, token head: a few per mille of a large network) is kept by every process.
Source: Zhao et al. 2023; torch.distributed.fsdp.fully_shard.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from pfamformer.command import log
from pfamformer.model.encoder import Encoder


def shard(model: nn.Module, processes: int, device: torch.device) -> None:
    """Divide the layers of all encoders of ``model``, a layer at a time, onto ``device``.

    The whole model is never on a GPU.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # It is about operations in place on an encoder's output, of which there is none.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device.type, (processes,))
    for encoder in [module for module in model.modules() if isinstance(module, Encoder)]:
        for block in encoder.blocks:
            fully_shard(block, mesh=mesh)
            # Losses are divided by the targets of all processes: gradients are summed.
            block.set_gradient_divide_factor(1.0)
            block.set_force_sum_reduction_for_comms(True)  # gloo has no other
        outside = {p for p in encoder.parameters() if not is_share(p)}
        # Manages nothing itself; it lets the next layer's weights arrive while one is computed.
        fully_shard(encoder, mesh=mesh, ignored_params=outside)
    held = sum((p.to_local() if is_share(p) else p).numel() for p in model.parameters())
    log.info(
        "%d processes; this one keeps %s of %s parameters", processes, f"{held:,}",
        f"{sum(p.numel() for p in model.parameters()):,}",
    )  # fmt: skip


def is_share(tensor: Tensor) -> bool:
    """Whether processes hold shares of it (DTensor; its import would take a second)."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """The whole tensor on the CPU; all processes must ask for it."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if is_share(tensor) else tensor).cpu().contiguous()


def like(tensor: Tensor, model: Tensor) -> Tensor:
    """What this process holds of a whole tensor where it holds a share of ``model``."""
    if not is_share(model) or tensor.shape != model.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    # Every process has read the whole tensor: nothing is sent.
    moved = tensor.to(model.device)
    return distribute_tensor(moved, model.device_mesh, model.placements, src_data_rank=None)


def clip_gradients(model: nn.Module, largest: float) -> None:
    """Scale all gradients so that their norm over all processes is at most ``largest``."""
    learnt = [p for p in model.parameters() if p.grad is not None]
    shares, rest = ([p for p in learnt if is_share(p) == kind] for kind in (True, False))
    if not shares:
        nn.utils.clip_grad_norm_(learnt, largest)
        return
    norms = [nn.utils.get_total_norm([p.grad for p in part]) for part in (shares, rest) if part]
    norm = torch.stack([n.full_tensor() if is_share(n) else n for n in norms]).norm()
    for part in (shares, rest):
        nn.utils.clip_grads_with_norm_(part, largest, norm)
