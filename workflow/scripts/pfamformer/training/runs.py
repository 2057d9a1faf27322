"""Pretraining and fine-tuning runs from their configuration to their files."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pfamformer.command import atomic_path, log
from pfamformer.config import FinetuneSettings, PretrainSettings, TrainingSettings
from pfamformer.errors import InputError
from pfamformer.methods.network import log_probabilities, method_name
from pfamformer.methods.new_families import known_and_new
from pfamformer.methods.outputs import SCORED, long_scores, parts_of, write_outputs
from pfamformer.methods.priors import chain_windows, lend
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel, TokenHead
from pfamformer.model.esm2 import load_esm2, weight_files
from pfamformer.sequences.alphabet import INDEX, STANDARD, TOKENS, encode
from pfamformer.sequences.byte_pairs import learn as learn_pairs
from pfamformer.sequences.shards import TokenShards
from pfamformer.tables import write_table
from pfamformer.training.batches import BatchPlan, InMemory, read_in_order
from pfamformer.training.device import hash_of, number_format, prepare_device
from pfamformer.training.distributed import Team, join_team
from pfamformer.training.evaluate import evaluate
from pfamformer.training.hard import hard_classes
from pfamformer.training.heads import learn, start_from, state_of
from pfamformer.training.loop import train
from pfamformer.training.metrics import Metrics
from pfamformer.training.objectives import (
    AgainstFew,
    Autoregressive,
    Classification,
    Distillation,
    MaskedLanguageModelling,
    Objective,
    Permutation,
    ReplacedTokens,
    SeveralLabels,
    SpanMasking,
    TokenRegulariser,
    WithRegulariser,
    inverse_frequency,
)
from pfamformer.training.optimizers import make_optimizer
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


def finetune(
    settings: FinetuneSettings,
    start: Trained | None,
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
        start: what it starts from; None where the settings name an encoder of their own.
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
    lengths = training["sequence"].str.len().groupby(training["family"]).apply(np.array)
    training = _at_most(training, settings)
    classes = {family: number for number, family in enumerate(families)}
    clans = _classes(training["clan"]) if settings.clan_weight else {}
    torch.manual_seed(hash_of(settings.seed, -3))
    beside = {"clan": max(1, len(clans))} if settings.clan_weight else {}
    windows = chain_windows(settings, profiles, families)
    model = Classifier(start and start.settings.network, len(families), settings, beside, windows)
    start_from(model, settings, start)
    if start is not None and settings.mlm_weight:
        model.auxiliary["tokens"] = _token_head(start)
    rows, labels = (
        [encode(s) for s in training["sequence"]],
        [classes[f] for f in training["family"]],
    )
    if profiles is not None:
        more = lend(
            model, settings, profiles, families, np.concatenate(rows), lengths[families].tolist()
        )
        rows += [encode(s) for s, _ in more]
        labels += [classes[family] for _, family in more]
    model.to(device)
    sequences = InMemory(rows)
    log.info("%d domains of %d families", len(training), len(families))
    truth = {"head": torch.tensor(labels)}
    if settings.clan_weight:
        # Sequences drawn from profiles have no row, so no clan of their own: that of their family.
        clan_of = dict(zip(training["family"], training["clan"], strict=True))
        truth["clan"] = torch.tensor([clans.get(clan_of[families[f]], -1) for f in labels])
    about = {"training domains": digest_of_ids(training["id"])}
    state = state_of(state_folder, settings, start, about, [profiles] if profiles else [])
    started = time.monotonic()
    if windows and settings.compared:
        task: Objective = AgainstFew(
            hard_classes(model, sequences, truth["head"], settings, state.folder)
        )
    else:
        task = _task(settings, truth)
    metrics = learn(model, task, sequences, settings, state, team)
    if not team.leads:
        return
    seconds = time.monotonic() - started
    about = {
        "network": start and start.settings.network.model_dump(),
        "run": settings.model_dump(),
        "families": families,
        "windows": windows,
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
    finish(output, metrics, summary | {"families": len(families)}, state)


def _at_most(training: pd.DataFrame, settings: FinetuneSettings) -> pd.DataFrame:
    """At most ``settings.per_family`` training domains of each family, in their order."""
    if settings.per_family is None:
        return training
    shuffled = training.sample(frac=1, random_state=settings.seed)
    return training.loc[shuffled.groupby("family").head(settings.per_family).index.sort_values()]


def _token_head(start: Trained) -> TokenHead:
    """The token head of a pretrained network, which goes on learning."""
    head = TokenHead(start.settings.network)
    kept = start.model().state_dict()
    head.load_state_dict({name: kept[name] for name in head.state_dict()})
    return head


def _task(settings: FinetuneSettings, labels: dict[str, torch.Tensor]) -> Objective:
    """Families, with clans and masked residues beside them where the settings want it."""
    task: Objective = Classification(labels["head"])
    if len(labels) > 1:
        task = SeveralLabels(labels, {"head": 1.0, "clan": settings.clan_weight})
    if settings.mlm_weight:
        # BERT's shares: 15 % targets, of these 80 % masked and 10 % swapped.
        task = WithRegulariser(task, TokenRegulariser(0.15, 0.8, 0.1), settings.mlm_weight)
    return task


def _classes(names: pd.Series) -> dict[str, int]:
    """Class numbers of the names that are not empty."""
    return {name: number for number, name in enumerate(sorted(set(names.dropna()) - {""}))}


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


def finish(output: Path, metrics: Metrics, summary: dict[str, Any], state: StateFolder) -> None:
    """Write metrics and summary; the training state is not needed any more."""
    write_table(metrics.table(), "metrics", output / "metrics.tsv")
    with atomic_path(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    state.remove()
