"""Classifiers of whole sequences that are not domains: set-up and training of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfamformer.command import log
from pfamformer.config import HeadSettings, PretrainSettings
from pfamformer.model.classifier import Classifier
from pfamformer.model.residues import ResidueClassifier
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import BatchPlan, InMemory
from pfamformer.training.distributed import Team
from pfamformer.training.loop import train
from pfamformer.training.metrics import Metrics
from pfamformer.training.objectives import Objective
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.runs import encoder_weights, prepare_encoder
from pfamformer.training.state import StateFolder, digest_of


@dataclass(frozen=True)
class Start:
    """The pretraining run that a network starts from; ``weights`` None means its untrained ones."""

    settings: PretrainSettings
    weights: Path | None


def fit(
    model: Classifier | ResidueClassifier,
    objective: Objective,
    sequences: Sequence[str],
    settings: HeadSettings,
    start: Start | None,
    folder: Path,
    about: Mapping[str, Any],
    team: Team,
    device: Any,
    *,
    whole: bool = False,
) -> tuple[Metrics, StateFolder]:
    """Train on these sequences for the run's epochs.

    An encoder with learning rate 0 is frozen: nothing is computed backwards through it.

    Args:
        about: what else shapes the result.
        whole: no sequence is cut, because its labels are those of its residues.
    """
    if start is not None:
        model.encoder.load_state_dict(encoder_weights(start.settings, start.weights))
        prepare_encoder(model.encoder, settings)
    model.encoder.requires_grad_(settings.encoder_rate > 0)
    model.to(device)
    rows = InMemory([encode(s) for s in sequences])
    longest = int(rows.lengths.max()) if whole else settings.max_length
    plan = BatchPlan(rows.lengths, settings.tokens_per_batch, longest, settings.seed)
    batches = sum(len(plan.epoch(epoch)) for epoch in range(settings.epochs))
    steps = max(1, batches // settings.accumulate)
    log.info("%d sequences, %d steps", len(rows), steps)
    identity = {
        "run": settings.model_dump(),
        "start": start and start.settings.model_dump(),
        "files": {str(start.weights): digest_of(start.weights)} if start and start.weights else {},
        **about,
    }
    state = StateFolder(folder, identity)
    parts = [(model.head, 1.0), (model.mixes, 1.0)]
    if settings.encoder_rate:
        parts.append((model.encoder, settings.encoder_rate))
    metrics = train(
        model, objective, rows, settings, steps=steps, plan=plan,
        optimizer=make_optimizer(parts, settings), state=state, team=team,
    )  # fmt: skip
    return metrics, state
