"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pfamformer.config import TrainingSettings
from pfamformer.training.sharded import is_share, like

# beta2 = 0.98: the choice of ESM-2 and RoBERTa for short runs.
_BETAS = (0.9, 0.98)


def rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """Learning-rate factor at a step: linear warm-up, then half a cosine to zero, or constant."""
    warmup = max(1, round(settings.warmup_share * steps))
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class Optimizers:
    """One optimiser, or Muon and AdamW side by side, behind what the loop and the state need.

    Args:
        order: all parameters, in the order of the model: saved states number them so.
    """

    def __init__(self, parts: list[torch.optim.Optimizer], order: Iterable[nn.Parameter]) -> None:
        self.parts = parts
        self._numbers = {parameter: number for number, parameter in enumerate(order)}

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def set_rate(self, factor: float) -> None:
        """Set every group's learning rate to ``factor`` times its base rate."""
        for group in self.param_groups:
            group["lr"] = group["base_rate"] * factor

    def step(self) -> None:
        """Change the parameters."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, by name."""
        return {
            f"{self._numbers[parameter]}.{key}": torch.as_tensor(value)
            for part in self.parts
            for parameter, values in part.state.items()
            for key, value in values.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the state that :meth:`tensors` gave."""
        saved: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            number, key = name.split(".", 1)
            saved.setdefault(int(number), {})[key] = tensor
        for part in self.parts:
            owned = [p for group in part.param_groups for p in group["params"]]
            state = {
                place: {key: like(t, p) for key, t in saved[self._numbers[p]].items()}
                for place, p in enumerate(owned)
                if self._numbers[p] in saved
            }
            part.load_state_dict(
                {"state": state, "param_groups": part.state_dict()["param_groups"]}
            )


def make_optimizer(
    groups: Iterable[tuple[nn.Module, float]], settings: TrainingSettings
) -> Optimizers:
    """The optimiser that the settings name, over (module, relative learning rate).

    Vectors (biases, norms) do not decay. Muon (Jordan et al. 2024) takes the matrices of linear
    layers, with updates of AdamW's size (Liu et al. 2025) so that both share one learning rate;
    embeddings and vectors stay with AdamW. Shares of sharded layers have groups of their own.
    """
    order: list[nn.Parameter] = []
    adamw: list[dict[str, Any]] = []
    muon: list[dict[str, Any]] = []
    for module, relative in groups:
        linear = {id(m.weight) for m in module.modules() if isinstance(m, nn.Linear)}
        kinds: dict[tuple[str, bool], list[nn.Parameter]] = {}
        for p in module.parameters():
            kind = "vector" if p.ndim < 2 else "matrix" if id(p) in linear else "table"
            kinds.setdefault((kind, is_share(p)), []).append(p)
            order.append(p)
        for (kind, _), chosen in kinds.items():
            target = muon if kind == "matrix" and settings.optimizer == "muon" else adamw
            target.append(
                {
                    "params": chosen,
                    "base_rate": relative * settings.learning_rate,
                    "weight_decay": 0.0 if kind == "vector" else settings.weight_decay,
                }
            )
    rate = settings.learning_rate
    parts: list[torch.optim.Optimizer] = []
    if adamw:
        parts.append(torch.optim.AdamW(adamw, lr=rate, betas=_BETAS, eps=1e-8, fused=True))
    if muon:
        parts.append(torch.optim.Muon(muon, lr=rate, adjust_lr_fn="match_rms_adamw"))
    return Optimizers(parts, order)
