"""The training loop: any objective, resumable at any step, the same bits from the same seed."""

from __future__ import annotations

import math
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import nn

from pfamformer.command import log
from pfamformer.config import TrainingSettings
from pfamformer.training.batches import Batch, BatchPlan, Sequences, collate, read_in_order
from pfamformer.training.distributed import Team
from pfamformer.training.objectives import Objective
from pfamformer.training.state import StateFolder


@dataclass
class Metrics:
    """Rows of the ``metrics`` table, and sums since the last one."""

    rows: list[dict] = field(default_factory=list)
    tokens: int = 0

    def table(self) -> pd.DataFrame:
        """The ``metrics`` table."""
        columns = ["step", "part", "tokens", "loss", "accuracy", "tokens_per_second", "memory_mb"]
        return pd.DataFrame(self.rows, columns=columns)


class Stopped(SystemExit):
    """Training was asked to stop (SIGTERM, SIGUSR1) and has saved its state."""


def prepare_device(threads: int) -> torch.device:
    """The GPU if there is one, else the CPU with this many threads."""
    torch.set_num_threads(threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """The format of matrix products; ``auto`` is bfloat16 where the processor computes it."""
    if precision == "auto":
        native = (
            torch.cuda.is_bf16_supported()
            if device.type == "cuda"
            else torch.cpu._is_avx512_bf16_supported()
        )
        precision = "bfloat16" if native else "float32"
    return getattr(torch, precision)


def rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """Learning-rate factor at a step: linear warm-up, then half a cosine down to zero."""
    warmup = max(1, round(settings.warmup_share * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimizer(
    groups: Iterable[tuple[nn.Module, float]], settings: TrainingSettings
) -> torch.optim.AdamW:
    """AdamW over (module, relative learning rate); vectors (biases, norms) do not decay."""
    parameters = []
    for module, relative in groups:
        for decays in (True, False):
            chosen = [p for p in module.parameters() if (p.ndim > 1) == decays]
            parameters.append(
                {
                    "params": chosen,
                    "base_rate": relative * settings.learning_rate,
                    "weight_decay": settings.weight_decay if decays else 0.0,
                }
            )
    # beta2 = 0.98: the choice of ESM-2 and RoBERTa for short runs.
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-8)


def train(
    model: nn.Module,
    objective: Objective,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    steps: int,
    plan: BatchPlan,
    optimizer: torch.optim.Optimizer,
    state: StateFolder,
    team: Team = Team(),  # noqa: B008 - frozen
    validate: Callable[[], dict[str, float]] | None = None,
    validate_every: int = 1,
) -> Metrics:
    """Train ``model`` for ``steps`` steps, from the last saved state where there is one.

    Args:
        sequences: residue tokens of every row.
        plan: which rows form which global batch.
        team: the processes that share each batch.
        validate: called at step 0, every ``validate_every`` steps and at the end; returns ``loss``
            (nats) and ``accuracy`` (0…1).

    Returns:
        Metrics of the whole run, the part before a resumption included.

    Raises:
        Stopped: a signal asked for it; the state has been saved.
        FloatingPointError: the loss is no longer finite.
    """
    device = next(model.parameters()).device
    dtype = number_format(settings.precision, device)
    first, saved = state.load(model, optimizer)
    metrics = Metrics(*saved) if saved else Metrics()
    started = last_saved = last_logged = time.monotonic()
    sums, tokens = np.zeros(3), 0  # loss, targets, right predictions since the last line
    with _stop_signals() as stopping:
        for step, epoch, rows in plan.steps(first, steps):
            if validate and step % validate_every == 0:
                _validated(metrics, step, validate)
            model.train()
            batch = collate([sequences[i][plan.window(i, epoch)] for i in rows], rows)
            # One stream per step: masks and dropout do not depend on where a run resumed.
            stream = torch.Generator().manual_seed(hash_of(settings.seed, step))
            torch.manual_seed(hash_of(settings.seed + team.rank, step))
            share = objective.prepare(batch, stream).share(team.rank, team.size)
            for group in optimizer.param_groups:
                group["lr"] = group["base_rate"] * rate_at(step, steps, settings)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                outcome = objective(model, share)
            found = torch.stack(
                [outcome.loss.detach().double().cpu(), outcome.targets, outcome.right.cpu()]
            )
            found = team.total(found.to(device)).cpu()
            (outcome.loss / found[1].clamp(min=1).to(outcome.loss)).backward()
            team.sum_gradients(model)
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            sums += found.numpy()
            tokens += batch.residues
            metrics.tokens += batch.residues
            if (step + 1) % settings.log_every and step + 1 < steps:
                continue
            now = time.monotonic()
            loss, accuracy = sums[0] / max(1, sums[1]), sums[2] / max(1, sums[1])
            rate = tokens / (now - last_logged)
            metrics.rows.append(_row(step + 1, "train", metrics.tokens, loss, accuracy, rate))
            log.info(
                "step %d/%d  loss %.4f  accuracy %.3f  %s residues/s  %s left",
                step + 1, steps, loss, accuracy, f"{rate:,.0f}",
                _clock((now - started) / (step + 1 - first) * (steps - step - 1)),
            )  # fmt: skip
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} at step {step + 1}")
            sums, tokens, last_logged = np.zeros(3), 0, now
            # Saving only on these lines keeps the sums out of the state: it resumes exactly. The
            # processes agree on it, since a signal may reach only one of them.
            due = now - last_saved > settings.save_every
            wishes = team.total(torch.tensor([len(stopping), int(due)], device=device))
            if bool(wishes.any()):
                if team.leads:
                    state.save(step + 1, model, optimizer, [metrics.rows, metrics.tokens])
                team.wait()
                last_saved = time.monotonic()
            if bool(wishes[0]) and step + 1 < steps:
                raise Stopped(f"stopped by a signal after step {step + 1}; the next start resumes")
    if validate:
        _validated(metrics, steps, validate)
    return metrics


def evaluate(
    model: nn.Module, objective: Objective, batches: Iterable[Batch], settings: TrainingSettings
) -> dict[str, float]:
    """Loss (nats per target) and accuracy over all batches, with fixed random choices."""
    device = next(model.parameters()).device
    dtype = number_format(settings.precision, device)
    stream = torch.Generator().manual_seed(hash_of(settings.seed, -1))
    loss = right = targets = 0.0
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for batch in batches:
            outcome = objective(model, objective.prepare(batch, stream))
            loss += float(outcome.loss)
            right += int(outcome.right)
            targets += int(outcome.targets)
    return {"loss": loss / max(1, targets), "accuracy": right / max(1, targets)}


def predict(
    model: nn.Module, sequences: Sequences, settings: TrainingSettings
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Yield batches with their class probabilities (B, classes), float32, on the CPU."""
    device = next(model.parameters()).device
    dtype = number_format(settings.precision, device)
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for batch in read_in_order(sequences, settings.tokens_per_batch, settings.max_length):
            logits = model(batch.tokens.to(device)).float()
            yield batch, logits.softmax(-1).cpu()


def hash_of(seed: int, step: int) -> int:
    """A 63-bit seed for one step (SplitMix64's finaliser): neighbouring steps are unrelated."""
    value = (seed * 0x9E3779B97F4A7C15 + (step + 1) * 0xBF58476D1CE4E5B9) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return (value ^ (value >> 31)) >> 1


def _validated(metrics: Metrics, step: int, validate: Callable[[], dict[str, float]]) -> None:
    found = validate()
    metrics.rows.append(
        _row(step, "valid", metrics.tokens, found["loss"], found["accuracy"], math.nan)
    )
    log.info("step %d  validation loss %.4f  accuracy %.3f", step, found["loss"], found["accuracy"])


def _row(step: int, part: str, tokens: int, loss: float, accuracy: float, rate: float) -> dict:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "step": step, "part": part, "tokens": tokens, "loss": loss, "accuracy": accuracy,
        "tokens_per_second": rate, "memory_mb": memory,
    }  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return (
        f"{minutes}:{seconds:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
    )


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
