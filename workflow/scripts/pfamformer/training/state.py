"""Training state on disk: weights, optimiser and position, written atomically, two kept.

The folder is named after the hash of everything that shapes the result, so that a changed
configuration never continues an old run. Random streams are derived from (seed, step) and need no
saving; a resumed run on the same machine ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pfamformer.command import atomic_path, log

KEPT = 2


def fingerprint(settings: Mapping[str, Any], *files: str | Path) -> str:
    """Sixteen hex digits of the settings and of the contents of ``files``."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def save_weights(path: str | Path, model: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a model's weights with a description as safetensors, atomically."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about, sort_keys=True)})


class StateFolder:
    """Saved states of one training run.

    Args:
        folder: where states lie; undeclared as a workflow output, so that a retried job finds it.
        key: :func:`fingerprint` of the run.
    """

    def __init__(self, folder: str | Path, key: str) -> None:
        self.folder = Path(folder) / key

    def save(
        self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, extra: Any
    ) -> None:
        """Save the state *before* ``step``; older ones beyond two are removed afterwards."""
        tensors: dict[str, Tensor] = {f"model.{n}": t for n, t in model.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value)
        about = {"step": step, "extra": extra}
        path = self.folder / f"step_{step:09d}.safetensors"
        with atomic_path(path) as temporary:
            save_file(
                {n: t.detach().cpu().contiguous() for n, t in tensors.items()},
                temporary,
                metadata={"about": json.dumps(about)},
            )
            _flush(temporary)
        for old in self._paths()[:-KEPT]:
            old.unlink()

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, Any]:
        """Restore the newest readable state; (0, None) where there is none."""
        for path in reversed(self._paths()):
            try:
                return self._restore(path, model, optimizer)
            except (SafetensorError, KeyError, OSError, ValueError) as error:
                log.warning("%s is damaged (%s): the state before it is used", path, error)
        return 0, None

    def _restore(self, path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
        from safetensors import safe_open

        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
        model.load_state_dict(
            {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
        )
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".", 2)
                state.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        log.info("resuming at step %d from %s", about["step"], path)
        return about["step"], about["extra"]

    def remove(self) -> None:
        """Delete all states: the run has ended and its results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("step_*.safetensors"))


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
