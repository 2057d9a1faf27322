"""Pretraining and fine-tuning runs from their configuration to their files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import nn

from pfamformer.command import atomic_path, log
from pfamformer.config import FinetuneSettings, PretrainSettings, TrainingSettings
from pfamformer.errors import InputError
from pfamformer.methods.network import log_probabilities, method_name
from pfamformer.methods.new_families import known_and_new
from pfamformer.methods.outputs import SCORED, long_scores, parts_of, write_outputs
from pfamformer.methods.priors import lend
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.esm2 import load_esm2, weight_files
from pfamformer.sequences.alphabet import INDEX, STANDARD, encode
from pfamformer.sequences.shards import TokenShards
from pfamformer.tables import write_table
from pfamformer.training.batches import BatchPlan, InMemory, read_in_order
from pfamformer.training.distributed import Team, join_team
from pfamformer.training.loop import (
    Metrics,
    evaluate,
    hash_of,
    make_optimizer,
    number_format,
    prepare_device,
    train,
)
from pfamformer.training.objectives import Classification, MaskedLanguageModelling
from pfamformer.training.state import StateFolder, fingerprint, save_weights


def untrained(settings: PretrainSettings) -> MaskedLanguageModel:
    """The network of a pretraining run before its first step: the same from the same seed."""
    torch.manual_seed(hash_of(settings.seed, -2))
    return MaskedLanguageModel(settings.network)


def starting(settings: PretrainSettings) -> MaskedLanguageModel:
    """The network that training begins with: ESM-2's weights where the run names them."""
    model = untrained(settings)
    if settings.esm2 is not None:
        load_esm2(model, settings.esm2)
    return model


def residue_entropy(counts: np.ndarray) -> float:
    """Entropy of the standard residues' frequencies, nats: the loss of knowing nothing else."""
    chosen = counts[[INDEX[letter] for letter in STANDARD]].astype(float)
    shares = chosen[chosen > 0] / chosen.sum()
    return float(-(shares * np.log(shares)).sum())


def pretrain(
    settings: PretrainSettings, corpus: Path, state_folder: Path, output: Path, threads: int
) -> None:
    """Pretrain a network; writes weights, the untrained weights, metrics and a summary.

    Args:
        corpus: folder with ``train`` and ``valid`` token shards.
        state_folder: where training states are kept until the run ends.
        output: folder for ``weights.safetensors``, ``untrained.safetensors``, ``metrics.tsv`` and
            ``summary.json``.
    """
    team, device = join_team(), prepare_device(threads)
    shards, held_back = TokenShards(corpus / "train"), TokenShards(corpus / "valid")
    for part, found in (("train", shards), ("valid", held_back)):
        if not len(found):
            raise InputError(
                corpus / part / "index.json",
                "no sequence",
                remedy="Raise splits.dev_share (domains) or corpora.valid_share (proteins)",
            )
    about = {"network": settings.network.model_dump(), "kind": "masked language model"}
    if team.leads:
        save_weights(output / "untrained.safetensors", untrained(settings), about)
    model = starting(settings).to(device)
    objective = MaskedLanguageModelling(
        settings.target_share, settings.mask_share, settings.random_share
    )
    state = StateFolder(
        state_folder,
        fingerprint(
            settings.model_dump(),
            *(corpus / p / "index.json" for p in ("train", "valid")),
            *(weight_files(settings.esm2) if settings.esm2 else []),
        ),
    )
    started = time.monotonic()
    metrics = train(
        model,
        objective,
        shards,
        settings,
        steps=settings.steps,
        plan=BatchPlan(
            shards.lengths, settings.tokens_per_batch, settings.max_length, settings.seed
        ),
        optimizer=make_optimizer([(model, 1.0)], settings),
        state=state,
        team=team,
        validate=lambda: evaluate(
            model,
            objective,
            read_in_order(held_back, settings.tokens_per_batch, settings.max_length),
            settings,
        ),
        validate_every=settings.validate_every,
    )
    if not team.leads:
        return
    save_weights(output / "weights.safetensors", model, about)
    summary = summary_of(model, settings, metrics, team, threads, time.monotonic() - started) | {
        "residue_entropy": residue_entropy(shards.residue_counts()),
        "train_sequences": len(shards),
        "train_residues": int(shards.lengths.sum()),
        "valid_sequences": len(held_back),
    }
    finish(output, metrics, summary, state)


def finetune(
    settings: FinetuneSettings,
    start: PretrainSettings | None,
    weights: Path | None,
    domains: pd.DataFrame,
    split: pd.DataFrame,
    state_folder: Path,
    output: Path,
    threads: int,
    run: str,
    candidates: int,
    profiles: Path | None = None,
) -> None:
    """Fine-tune a network to families; writes weights, predictions, scores and metrics.

    Args:
        start: the pretraining run whose network it starts from; None where the settings name an
            encoder of their own.
        weights: its trained weights; None starts from its untrained ones.
        domains, split: the tables of these names.
        run: name of this run, for the tables.
        candidates: families kept of each domain in the ``scores`` table.
        profiles: profile HMMs of the training domains, for runs that start or draw from them.
    """
    team, device = join_team(), prepare_device(threads)
    parts = parts_of(domains, split)
    training = parts["train"]
    families, _ = known_and_new(training["family"], settings.new_families, settings.seed)
    training = training[training["family"].isin(families)]
    classes = {family: number for number, family in enumerate(families)}
    torch.manual_seed(hash_of(settings.seed, -3))
    model = Classifier(start and start.network, len(families), settings)
    if start is not None:
        model.encoder.load_state_dict(encoder_weights(start, weights))
    rows, labels = (
        [encode(s) for s in training["sequence"]],
        [classes[f] for f in training["family"]],
    )
    if profiles is not None:
        more = lend(model, settings, profiles, families, np.concatenate(rows))
        rows += [encode(s) for s, _ in more]
        labels += [classes[family] for _, family in more]
    model.to(device)
    sequences = InMemory(rows)
    plan = BatchPlan(
        sequences.lengths, settings.tokens_per_batch, settings.max_length, settings.seed
    )
    steps = sum(len(plan.epoch(epoch)) for epoch in range(settings.epochs))
    log.info("%d domains of %d families, %d steps", len(training), len(families), steps)
    key = fingerprint(
        {
            "run": settings.model_dump(),
            "start": start and start.model_dump(),
            "train": training["id"].tolist(),
        },
        *filter(None, (weights, profiles)),
    )
    state = StateFolder(state_folder, key)
    started = time.monotonic()
    metrics = train(
        model,
        Classification(torch.tensor(labels)),
        sequences,
        settings,
        steps=steps,
        plan=plan,
        optimizer=make_optimizer(
            [(model.encoder, settings.encoder_rate), (model.head, 1.0)], settings
        ),
        state=state,
        team=team,
    )
    if not team.leads:
        return
    seconds = time.monotonic() - started
    about = {
        "network": start and start.network.model_dump(),
        "run": settings.model_dump(),
        "families": families,
    }
    save_weights(output / "weights.safetensors", model, about)
    scores = {
        part: long_scores(
            parts[part],
            log_probabilities(model, settings, parts[part]["sequence"].tolist()),
            families,
            candidates,
        )
        for part in SCORED
    }
    write_outputs(
        scores, parts, output, method=method_name(settings), run=run, limit=candidates,
        logarithmic=True,
    )  # fmt: skip
    summary = summary_of(model, settings, metrics, team, threads, seconds)
    finish(output, metrics, summary | {"families": len(families), "steps": steps}, state)


def encoder_weights(start: PretrainSettings, weights: Path | None) -> dict[str, torch.Tensor]:
    """An encoder's weights: of a file, or those that the run would start with."""
    if weights is None:
        return untrained(start).encoder.state_dict()
    tensors = load_file(weights)
    return {
        name.removeprefix("encoder."): tensor
        for name, tensor in tensors.items()
        if name.startswith("encoder.")
    }


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
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "processes": team.size,
        "threads": threads,
        "precision": str(number_format(settings.precision, device)).removeprefix("torch."),
        "residues_read": metrics.tokens,
        "seconds_of_last_start": round(seconds, 1),
    }


def finish(output: Path, metrics: Metrics, summary: dict[str, Any], state: StateFolder) -> None:
    """Write metrics and summary; the training state is not needed any more."""
    write_table(metrics.table(), "metrics", output / "metrics.tsv")
    with atomic_path(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    state.remove()
