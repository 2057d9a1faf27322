"""Pretraining runs from their configuration to their files."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from pfamformer.command import atomic_path
from pfamformer.config import PretrainSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.esm2 import load_esm2, weight_files
from pfamformer.sequences.alphabet import INDEX, STANDARD, TOKENS
from pfamformer.sequences.byte_pairs import learn as learn_pairs
from pfamformer.sequences.shards import TokenShards
from pfamformer.training.batches import BatchPlan, read_in_order
from pfamformer.training.device import prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.evaluate import evaluate
from pfamformer.training.loop import train
from pfamformer.training.objectives import (
    Autoregressive,
    Distillation,
    MaskedLanguageModelling,
    Objective,
    Permutation,
    ReplacedTokens,
    SpanMasking,
    inverse_frequency,
)
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.results import digest_of_ids, finish, summary_of
from pfamformer.training.sharded import shard
from pfamformer.training.starts import Trained, prepare_encoder, untrained
from pfamformer.training.state import StateFolder, digest_of, save_weights


def starting(settings: PretrainSettings) -> MaskedLanguageModel:
    """The network that training begins with: ESM-2's weights where the run names them."""
    model = untrained(settings)
    if settings.esm2 is not None:
        load_esm2(model, settings.esm2)
    return model


def objective_of(
    settings: PretrainSettings, counts: np.ndarray, teacher: Trained | None = None
) -> Objective:
    """The objective that a pretraining run names.

    Args:
        counts: occurrences of each token in the corpus, shape (tokens,).
        teacher: of objective 'distillation'.
    """
    shares = settings.target_share, settings.mask_share, settings.random_share
    draw_V = inverse_frequency(counts) if settings.draw == "inverse_frequency" else None
    weight_V = inverse_frequency(counts) if settings.loss_weights == "inverse_frequency" else None
    merges = settings.network.merges
    masked = MaskedLanguageModelling(*shares, draw_V=draw_V, weight_V=weight_V, merges=merges)
    if settings.objective == "distillation":
        if teacher is None:
            raise ValueError("distillation needs a teacher")
        return Distillation(masked, teacher.model(), settings.temperature)
    return {
        "masked": lambda: masked,
        "span": lambda: SpanMasking(*shares, settings.span_mean, merges),
        "replaced": lambda: ReplacedTokens(masked),
        "autoregressive": Autoregressive,
        "permutation": lambda: Permutation(settings.target_share),
    }[settings.objective]()


def residue_entropy(counts: np.ndarray) -> float:
    """Entropy of the tokens' frequencies, nats: the loss of knowing nothing else.

    Of the standard residues, and of tokens of several residues where there are any.
    """
    residues = counts[[INDEX[letter] for letter in STANDARD]]
    chosen = np.concatenate((residues, counts[len(TOKENS) :])).astype(float)
    shares = chosen[chosen > 0] / chosen.sum()
    return float(-(shares * np.log(shares)).sum())


def context_free_loss(objective: Objective, counts: np.ndarray) -> float:
    """What a network reaches, nats, that knows frequencies and the objective, yet no context."""
    if isinstance(objective, MaskedLanguageModelling):
        return objective.context_free_loss(counts)
    return residue_entropy(counts)


def pretrain(
    settings: PretrainSettings,
    corpus: Path,
    state_folder: Path,
    output: Path,
    threads: int,
    teacher: Trained | None = None,
) -> None:
    """Pretrain a network; writes weights, the untrained weights, metrics and a summary.

    Args:
        corpus: folder with ``train`` and ``valid`` token shards.
        state_folder: where training states are kept until the run ends.
        output: folder for ``weights.safetensors``, ``untrained.safetensors``, ``snapshots/``,
            ``metrics.tsv`` and ``summary.json``.
        teacher: of objective 'distillation'.
    """
    team, device = join_team(settings.sharded), prepare_device(threads)
    shards, held_back = _corpus(corpus)
    merges = settings.network.merges
    merge = learn_pairs(shards, merges) if merges else None
    counts = shards.residue_counts() if merge is None else merge.counts(shards)
    about = {"network": settings.network.model_dump(), "kind": "masked language model"}
    about |= {"merges": merge.merges} if merge else {}
    if team.leads:
        save_weights(output / "untrained.safetensors", untrained(settings), about)
    model = starting(settings)
    objective = objective_of(settings, counts, teacher)
    if isinstance(objective, ReplacedTokens):
        objective.equip(model)
    prepare_encoder(model.encoder, settings)
    if team.sharded:
        shard(model, team.size, device)
    model.to(device)
    files = [corpus / part / "index.json" for part in ("train", "valid")]
    files += weight_files(settings.esm2) if settings.esm2 else []
    files += [teacher.weights] if teacher and teacher.weights else []
    identity: dict[str, Any] = {
        "run": settings.model_dump(),
        "files": {str(path): digest_of(path) for path in files},
    }
    if merge:
        identity["tokens"] = digest_of_ids(map("".join, merge.merges))
    state = StateFolder(state_folder, identity)
    kept = state.folder / "snapshots"
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
            read_in_order(held_back, settings.tokens_per_batch, settings.max_length, merge),
            settings,
        ),
        validate_every=settings.validate_every,
        snapshot=lambda step: save_weights(kept / f"step_{step:09d}.weights", model, about, team),
        snapshots=settings.snapshots,
        merge=merge,
    )
    save_weights(output / "weights.safetensors", model, about, team)
    if not team.leads:
        return
    _hand_over(kept, output / "snapshots")
    summary = summary_of(model, settings, metrics, team, threads, time.monotonic() - started) | {
        "residue_entropy": residue_entropy(counts),
        "context_free_loss": context_free_loss(objective, counts),
        "train_sequences": len(shards),
        "train_residues": int(shards.lengths.sum()),
        "valid_sequences": len(held_back),
    }
    finish(output, metrics, summary, state)


def _corpus(folder: Path) -> tuple[TokenShards, TokenShards]:
    """Training and validation sequences."""
    shards, held_back = TokenShards(folder / "train"), TokenShards(folder / "valid")
    for part, found in (("train", shards), ("valid", held_back)):
        if not len(found):
            raise InputError(
                folder / part / "index.json",
                "no sequence",
                remedy="Raise splits.dev_share (domains) or corpora.valid_share (proteins)",
            )
    return shards, held_back


def _hand_over(kept: Path, output: Path) -> None:
    """Put the snapshots, which lie with the states while the run may be killed, in their place."""
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(kept.glob("step_*.weights")):
        with atomic_path(output / f"{path.stem}.safetensors") as temporary:
            shutil.copyfile(path, temporary)
