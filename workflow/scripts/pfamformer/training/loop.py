"""The training loop: any objective, resumable at any step, the same bits from the same seed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from pfamformer.config import TrainingSettings
from pfamformer.training.batches import Batch, BatchPlan, Merge, Sequences, collate
from pfamformer.training.device import autocast, hash_of
from pfamformer.training.distributed import Team
from pfamformer.training.events import events_of
from pfamformer.training.metrics import Metrics
from pfamformer.training.objectives import Objective
from pfamformer.training.optimizers import Optimizers, rate_at
from pfamformer.training.sharded import clip_gradients
from pfamformer.training.state import StateFolder
from pfamformer.training.time_limit import stop_at

# Several processes ask each other this often whether to save or to stop: asking makes them wait.
AGREE_EVERY = 10


class Stopped(SystemExit):
    """Training must stop (SIGTERM, SIGUSR1, time limit of the job) and has saved its state."""


def train(
    model: nn.Module,
    objective: Objective,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    steps: int,
    plan: BatchPlan,
    optimizer: Optimizers,
    state: StateFolder,
    team: Team = Team(),  # noqa: B008 - frozen
    validate: Callable[[], dict[str, float]] | None = None,
    validate_every: int = 1,
    snapshot: Callable[[int], None] | None = None,
    snapshots: Collection[int] = (),
    merge: Merge | None = None,
) -> Metrics:
    """Train ``model`` for ``steps`` steps, from the last saved state where there is one.

    Args:
        sequences: residue tokens of every row.
        plan: which rows form which batch; ``settings.accumulate`` of them make a step.
        team: the processes that share each batch.
        validate: called at step 0, every ``validate_every`` steps and at the end; returns ``loss``
            (nats), ``accuracy`` and ``ece`` (0…1).
        snapshot: called before each step in ``snapshots``, and at the end where the last is in it.

        merge: joins residues into tokens as they are read; budgets count residues all the same.

    Returns:
        Metrics of the whole run, the part before a resumption included.

    Raises:
        Stopped: a signal or the time limit of the job asked for it; the state has been saved.
        FloatingPointError: the loss is no longer finite.
    """
    device = next(model.parameters()).device
    first, saved = state.load(model, optimizer)
    events = events_of(settings.tensorboard, state.folder, first) if team.leads else None
    metrics = Metrics(device, team, saved, events)
    last_saved, limit = time.monotonic(), stop_at()
    with _stop_signals() as stopping:
        for step, parts in plan.steps(first, steps, settings.accumulate):
            if snapshot and step in snapshots:
                snapshot(step)
            if validate and step % validate_every == 0:
                metrics.validated(step, validate())
            model.train()
            # One stream per step: masks and dropout do not depend on where a run resumed.
            stream = torch.Generator().manual_seed(hash_of(settings.seed, step))
            torch.manual_seed(hash_of(settings.seed + team.rank, step))
            batches = [objective.prepare(b, stream) for b in _read(sequences, plan, parts, merge)]
            # The loss is a mean over the whole step's targets, wherever they are computed.
            targets = max(1, sum(batch.total for batch in batches))
            for batch in batches:
                share, counts = team.share_of(batch)
                if len(share.rows):  # fewer rows than processes: this one has nothing to do
                    with autocast(settings.precision, device):
                        outcome = objective(model, share)
                    (outcome.loss * counts / targets).backward()
                    metrics.add(outcome, counts)
                metrics.tokens += batch.residues
            team.sum_gradients(model)
            clip_gradients(model, settings.gradient_clip)
            optimizer.set_rate(rate_at(step, steps, settings))
            optimizer.step()
            optimizer.zero_grad()

            done = step + 1
            if done % settings.log_every == 0 or done == steps:
                metrics.line(done, steps, first)
            if team.size > 1 and done % AGREE_EVERY and done < steps:
                continue
            due = time.monotonic() - last_saved > settings.save_every
            stop, save = team.agree(bool(stopping) or time.time() > limit, due)
            if stop or save:
                state.save(done, model, optimizer, metrics.content(), team)
                team.wait()
                last_saved = time.monotonic()
            if stop and done < steps:
                why = "a signal" if stopping else "the time limit of the job"
                raise Stopped(f"stopped by {why} after step {done}; the next start resumes")
    if snapshot and steps in snapshots:
        snapshot(steps)
    if validate:
        metrics.validated(steps, validate())
    return metrics


def _read(
    sequences: Sequences,
    plan: BatchPlan,
    parts: list[tuple[int, np.ndarray]],
    merge: Merge | None,
) -> Iterator[Batch]:
    for epoch, rows in parts:
        yield collate([sequences[i][plan.window(i, epoch)] for i in rows], rows, merge)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGUSR1 (what SLURM sends before the limit) instead of dying of them."""
    received: list[int] = []
    names = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.signal(name, lambda number, _: received.append(number)) for name in names]
    try:
        yield received
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
