"""Pretraining and fine-tuning runs from their configuration to their files."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
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
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.esm2 import load_esm2, weight_files
from pfamformer.model.heads import Classifier
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
    predict,
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
    summary = _summary(model, settings, metrics, team, threads, time.monotonic() - started) | {
        "residue_entropy": residue_entropy(shards.residue_counts()),
        "train_sequences": len(shards),
        "train_residues": int(shards.lengths.sum()),
        "valid_sequences": len(held_back),
    }
    _finish(output, metrics, summary, state)


def finetune(
    settings: FinetuneSettings,
    start: PretrainSettings,
    weights: Path | None,
    domains: pd.DataFrame,
    split: pd.DataFrame,
    state_folder: Path,
    output: Path,
    threads: int,
    run: str,
) -> None:
    """Fine-tune a network to families; writes weights, predictions of the test part and metrics.

    Args:
        start: the pretraining run whose network it starts from.
        weights: its trained weights; None starts from its untrained ones.
        domains, split: the tables of these names.
        run: name of this run, for the ``predictions`` table.
    """
    team, device = join_team(), prepare_device(threads)
    part = split.set_index("id")["part"]
    part_of_row = domains["id"].map(part)
    training, test = domains[part_of_row == "train"], domains[part_of_row == "test"]
    families = sorted(training["family"].unique())
    classes = {family: number for number, family in enumerate(families)}
    torch.manual_seed(hash_of(settings.seed, -3))
    model = Classifier(start.network, len(families), settings)
    model.encoder.load_state_dict(_encoder_weights(start, weights))
    model.to(device)
    sequences = InMemory([encode(s) for s in training["sequence"]])
    plan = BatchPlan(
        sequences.lengths, settings.tokens_per_batch, settings.max_length, settings.seed
    )
    steps = sum(len(plan.epoch(epoch)) for epoch in range(settings.epochs))
    log.info("%d domains of %d families, %d steps", len(training), len(families), steps)
    labels = torch.tensor([classes[f] for f in training["family"]])
    key = fingerprint(
        {
            "run": settings.model_dump(),
            "start": start.model_dump(),
            "train": training["id"].tolist(),
        },
        *([weights] if weights else []),
    )
    state = StateFolder(state_folder, key)
    started = time.monotonic()
    metrics = train(
        model,
        Classification(labels),
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
    about = {"network": start.network.model_dump(), "head": settings.head, "families": families}
    save_weights(output / "weights.safetensors", model, about)
    write_table(
        _predictions(model, settings, test, families, run),
        "predictions",
        output / "predictions.parquet",
    )
    summary = _summary(model, settings, metrics, team, threads, seconds)
    _finish(output, metrics, summary | {"families": len(families), "steps": steps}, state)


def _encoder_weights(start: PretrainSettings, weights: Path | None) -> dict[str, torch.Tensor]:
    if weights is None:
        return untrained(start).encoder.state_dict()
    tensors = load_file(weights)
    return {
        name.removeprefix("encoder."): tensor
        for name, tensor in tensors.items()
        if name.startswith("encoder.")
    }


def _predictions(
    model: nn.Module,
    settings: TrainingSettings,
    test: pd.DataFrame,
    families: Sequence[str],
    run: str,
) -> pd.DataFrame:
    scores = np.zeros(len(test))
    chosen = np.zeros(len(test), dtype=np.int64)
    for batch, probabilities in predict(
        model, InMemory([encode(s) for s in test["sequence"]]), settings
    ):
        best = probabilities.max(-1)
        scores[batch.rows], chosen[batch.rows] = best.values.numpy(), best.indices.numpy()
    return pd.DataFrame(
        {
            "id": test["id"].to_numpy(),
            "truth": test["family"].to_numpy(),
            "predicted": [families[i] for i in chosen],
            "score": scores,
            "method": settings.head,
            "run": run,
        }
    )


def _summary(
    model: nn.Module,
    settings: TrainingSettings,
    metrics: Metrics,
    team: Team,
    threads: int,
    seconds: float,
) -> dict[str, Any]:
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


def _finish(output: Path, metrics: Metrics, summary: dict[str, Any], state: StateFolder) -> None:
    write_table(metrics.table(), "metrics", output / "metrics.tsv")
    with atomic_path(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    state.remove()
