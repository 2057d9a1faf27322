"""Training state on disk: weights, optimiser and position, written atomically, two kept.

The folder also holds everything that shapes the result, so that a changed configuration never
continues an old run. Random streams are derived from (seed, step) and need no saving; a resumed run
on the same machine ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pfamformer.command import atomic_path, log
from pfamformer.errors import InputError
from pfamformer.model.weights import description
from pfamformer.training.distributed import Team
from pfamformer.training.optimizers import Optimizers
from pfamformer.training.sharded import like, whole

KEPT = 2
# What may change between two starts of one run: it shapes no result.
FREE = ("run.save_every", "run.seeds", "run.sharded", "run.tensorboard")


def digest_of(path: str | Path) -> str:
    """Sixteen hex digits of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def save_weights(
    path: str | Path,
    model: nn.Module,
    about: Mapping[str, Any],
    team: Team = Team(),  # noqa: B008 - frozen
) -> None:
    """Write a model's weights with a description as safetensors, atomically.

    What an objective trained beside the model (``auxiliary``) stays out. All processes of a sharded
    network must call this; the leading one writes.
    """
    given = model.state_dict().items()
    kept = {name: t for name, t in given if not name.startswith("auxiliary.")}
    tensors = _gathered(kept, team)
    if not team.leads:
        return
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about, sort_keys=True)})


class StateFolder:
    """Saved states of one training run.

    Args:
        folder: where states lie; undeclared as a workflow output, so that a retried job finds it.
        settings: all that shapes the result, nested; files by their :func:`digest_of`.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.settings = {k: v for k, v in _flat(settings) if k not in FREE}

    def save(
        self,
        step: int,
        model: nn.Module,
        optimizer: Optimizers,
        extra: Any,
        team: Team = Team(),  # noqa: B008 - frozen
    ) -> None:
        """Save the state *before* ``step``; older ones beyond two are removed afterwards.

        A disk that is full costs this state, not the run: the ones before it are kept. All
        processes must call this; the leading one writes.
        """
        tensors: dict[str, Tensor] = {f"model.{n}": t for n, t in model.state_dict().items()}
        tensors |= {f"optimizer.{n}": t for n, t in optimizer.tensors().items()}
        tensors = _gathered(tensors, team)
        if not team.leads:
            return
        about = json.dumps({"step": step, "extra": extra})
        try:
            with atomic_path(self.folder / "settings.json") as temporary:
                temporary.write_text(json.dumps(self.settings, indent=1, sort_keys=True))
            incoming = self.folder / "incoming.safetensors"
            with atomic_path(incoming) as temporary:
                save_file(tensors, temporary, metadata={"about": about})
                _flush(temporary)
                digest = digest_of(temporary)
            # The name of a complete state ends in its checksum.
            os.replace(incoming, self.folder / f"step_{step:09d}.{digest}.safetensors")
        except (OSError, SafetensorError) as error:
            log.warning("no state was saved at step %d: %s", step, error)
            return
        for old in self._paths()[:-KEPT]:
            old.unlink()

    def load(self, model: nn.Module, optimizer: Optimizers) -> tuple[int, Any]:
        """Restore the newest whole state; (0, None) where there is none.

        Raises:
            InputError: the states are of a run with other settings, which are named.
        """
        paths = self._paths()
        if paths:
            self._compare()
        for path in reversed(paths):
            if digest_of(path) != path.name.split(".")[1]:
                log.warning("%s is damaged: the state before it is used", path)
                continue
            return self._restore(path, model, optimizer)
        return 0, None

    def _compare(self) -> None:
        path = self.folder / "settings.json"
        try:
            before = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(path, f"not readable ({error})", remedy="Delete its folder") from error
        now = json.loads(json.dumps(self.settings))
        missing = "nothing"
        changed = [
            f"{key} ({before.get(key, missing)} before, {now.get(key, missing)} now)"
            for key in sorted(before.keys() | now.keys())
            if before.get(key, missing) != now.get(key, missing)
        ]
        if changed:
            raise InputError(
                self.folder,
                "holds the training state of a run that differs in " + ", ".join(changed),
                remedy="Restore these settings to continue it, or delete the folder to start anew",
            )

    def _restore(self, path: Path, model: nn.Module, optimizer: Optimizers) -> tuple[int, Any]:
        tensors = load_file(path)
        about = description(path)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = tensor
        now = model.state_dict()
        model.load_state_dict(
            {name: like(t, now.get(name, t)) for name, t in parts["model"].items()}
        )
        optimizer.restore(parts["optimizer"])
        log.info("resuming at step %d from %s", about["step"], path)
        return about["step"], about["extra"]

    def remove(self) -> None:
        """Delete all states: the run has ended and its results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("step_*.*.safetensors"))


def _flat(settings: Any, path: str = "") -> list[tuple[str, Any]]:
    """Nested settings as (dotted key, value)."""
    if not isinstance(settings, Mapping):
        return [(path, settings)]
    return [
        pair
        for key, value in settings.items()
        for pair in _flat(value, f"{path}.{key}" if path else str(key))
    ]


def _gathered(tensors: Mapping[str, Tensor], team: Team) -> dict[str, Tensor]:
    """Whole tensors on the CPU, one after the other; only the leading process keeps them."""
    found = {}
    for name, tensor in tensors.items():
        complete = whole(tensor)
        if team.leads:
            found[name] = complete
    return found


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
