"""What every training run leaves behind, whatever it learns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pfamformer.command import atomic_path
from pfamformer.config import TaskSettings, TrainingSettings
from pfamformer.tables import write_table
from pfamformer.training.device import number_format
from pfamformer.training.distributed import Team
from pfamformer.training.metrics import Metrics
from pfamformer.training.starts import Trained
from pfamformer.training.state import StateFolder, save_weights


def digest_of_ids(ids: Iterable[str]) -> str:
    """Sixteen hex digits of the rows of a data set and their order."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def summary_of(
    model: nn.Module,
    settings: TrainingSettings,
    metrics: Metrics,
    team: Team,
    threads: int,
    seconds: float,
) -> dict[str, Any]:
    """What ``summary.json`` says of any run."""
    device = next(model.parameters()).device
    return {
        "parameters": sum(
            p.numel() for name, p in model.named_parameters() if not name.startswith("auxiliary.")
        ),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "processes": team.size,
        "threads": threads,
        "precision": str(number_format(settings.precision, device)).removeprefix("torch."),
        "steps": metrics.steps,
        "residues_read": metrics.tokens,
        "seconds_of_last_start": round(seconds, 1),
    }


def save_trained(
    output: Path, model: nn.Module, settings: TaskSettings, start: Trained | None, about: dict
) -> None:
    """Write ``weights.safetensors`` of a network that learnt a task, with all that rebuilds it.

    Args:
        about: what this kind of task needs besides the run's settings and its start's network.
    """
    shared = {
        "network": start and start.settings.network.model_dump(),
        "run": settings.model_dump(),
    }
    save_weights(output / "weights.safetensors", model, shared | about)


def finish(output: Path, metrics: Metrics, summary: dict[str, Any], state: StateFolder) -> None:
    """Write metrics and summary; the training state is not needed any more."""
    write_table(metrics.table(), "metrics", output / "metrics.tsv")
    with atomic_path(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    state.remove()
