"""Networks that learn a task: set-up and training, whatever the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pfamformer.command import log
from pfamformer.config import TaskSettings
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import BatchPlan, InMemory, Merge
from pfamformer.training.distributed import Team
from pfamformer.training.loop import train
from pfamformer.training.metrics import Metrics
from pfamformer.training.objectives import Objective
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.starts import Trained, encoder_weights, prepare_encoder
from pfamformer.training.state import StateFolder, digest_of


def fit(
    model: nn.Module,
    objective: Objective,
    sequences: Sequence[str],
    settings: TaskSettings,
    start: Trained | None,
    folder: Path,
    about: Mapping[str, Any],
    team: Team,
    device: Any,
    *,
    whole: bool = False,
) -> tuple[Metrics, StateFolder]:
    """Train on these sequences for the run's epochs.

    Args:
        about: what else shapes the result.
        whole: no sequence is cut, because its labels are those of its residues.
    """
    start_from(model, settings, start)
    model.to(device)
    rows = InMemory([encode(s) for s in sequences])
    state = state_of(folder, settings, start, about)
    return learn(model, objective, rows, settings, state, team, whole=whole), state


def start_from(model: nn.Module, settings: TaskSettings, start: Trained | None) -> None:
    """Put a pretrained encoder in, where the run starts from one.

    An encoder with learning rate 0 is frozen: nothing is computed backwards through it.
    """
    if start is not None:
        model.encoder.load_state_dict(encoder_weights(start))
        prepare_encoder(model.encoder, settings)
    model.encoder.requires_grad_(settings.encoder_rate > 0)


def state_of(
    folder: Path,
    settings: TaskSettings,
    start: Trained | None,
    about: Mapping[str, Any],
    files: Iterable[Path] = (),
) -> StateFolder:
    """Saved states of a run, keyed by all that shapes its result.

    Args:
        files: read beside the weights that it starts from.
    """
    read = [*([start.weights] if start and start.weights else []), *files]
    identity = {
        "run": settings.model_dump(),
        "start": start and start.settings.model_dump(),
        "files": {str(path): digest_of(path) for path in read},
    }
    return StateFolder(folder, identity | about)


def learn(
    model: nn.Module,
    objective: Objective,
    rows: InMemory,
    settings: TaskSettings,
    state: StateFolder,
    team: Team,
    *,
    whole: bool = False,
    merge: Merge | None = None,
) -> Metrics:
    """Train for the run's epochs: the encoder at its own rate, all else at the full one.

    Args:
        merge: joins residues into tokens as they are read.
    """
    longest = int(rows.lengths.max()) if whole else settings.max_length
    plan = BatchPlan(rows.lengths, settings.tokens_per_batch, longest, settings.seed)
    batches = sum(len(plan.epoch(epoch)) for epoch in range(settings.epochs))
    steps = max(1, batches // settings.accumulate)
    log.info("%d sequences, %d steps", len(rows), steps)
    rates = {"encoder": settings.encoder_rate}
    parts = [(part, rates.get(name, 1.0)) for name, part in model.named_children()]
    return train(
        model, objective, rows, settings, steps=steps, plan=plan,
        optimizer=make_optimizer([part for part in parts if part[1]], settings),
        state=state, team=team, merge=merge,
    )  # fmt: skip
