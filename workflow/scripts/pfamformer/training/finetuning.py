"""Fine-tuning to families, from the configuration to weights, predictions and scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pfamformer.command import log
from pfamformer.config import FinetuneSettings
from pfamformer.methods.network import log_probabilities, method_name
from pfamformer.methods.new_families import known_and_new
from pfamformer.methods.outputs import SCORED, long_scores, parts_of, write_outputs
from pfamformer.methods.priors import chain_windows, lend
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import TokenHead
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory
from pfamformer.training.device import hash_of, prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.hard import hard_classes
from pfamformer.training.heads import learn, start_from, state_of
from pfamformer.training.objectives import (
    AgainstFew,
    Classification,
    Objective,
    SeveralLabels,
    TaughtClassification,
    TokenRegulariser,
    WithRegulariser,
)
from pfamformer.training.results import digest_of_ids, finish, save_trained, summary_of
from pfamformer.training.starts import Trained
from pfamformer.training.teachers import lessons


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
    teachers: Sequence[Path] = (),
) -> None:
    """Fine-tune a network to families; writes weights, predictions, scores and metrics.

    Args:
        start: what it starts from; None where the settings name an encoder of their own.
        domains, split: the tables of these names.
        run: name of this run, for the tables.
        candidates: families kept of each domain in the ``scores`` table.
        profiles: profile HMMs of the training domains, for runs that start or draw from them.
        teachers: weights files of finished networks that it learns from.
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
    texts, labels = training["sequence"].tolist(), [classes[f] for f in training["family"]]
    rows = [encode(s) for s in texts]
    if profiles is not None:
        more = lend(
            model, settings, profiles, families, np.concatenate(rows), lengths[families].tolist()
        )
        texts += [sequence for sequence, _ in more]
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
    state = state_of(
        state_folder, settings, start, about, [*([profiles] if profiles else []), *teachers]
    )
    started = time.monotonic()
    if windows and settings.compared:
        task: Objective = AgainstFew(
            hard_classes(model, sequences, truth["head"], settings, state.folder)
        )
    else:
        taught = None
        if teachers:
            taught = lessons(teachers, texts, families, settings.temperature, state.folder, device)
        task = _task(settings, truth, taught)
    merge = start and start.merge()
    metrics = learn(model, task, sequences, settings, state, team, merge=merge)
    if not team.leads:
        return
    seconds = time.monotonic() - started
    about = {"families": families, "windows": windows}
    about |= {"merges": merge.merges} if merge else {}
    save_trained(output, model, settings, start, about)
    scores = {
        part: long_scores(
            parts[part],
            log_probabilities(model, settings, parts[part]["sequence"].tolist(), merge),
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


def _task(
    settings: FinetuneSettings,
    labels: dict[str, torch.Tensor],
    taught: tuple[torch.Tensor, torch.Tensor] | None,
) -> Objective:
    """Families, with teachers, clans and masked residues beside them where the settings want it."""
    task: Objective = Classification(labels["head"])
    if taught is not None:
        task = TaughtClassification(labels["head"], *taught, settings.temperature)
    if len(labels) > 1:
        task = SeveralLabels(labels, {"head": 1.0, "clan": settings.clan_weight})
    if settings.mlm_weight:
        # BERT's shares: 15 % targets, of these 80 % masked and 10 % swapped.
        task = WithRegulariser(task, TokenRegulariser(0.15, 0.8, 0.1), settings.mlm_weight)
    return task


def _classes(names: pd.Series) -> dict[str, int]:
    """Class numbers of the names that are not empty."""
    return {name: number for number, name in enumerate(sorted(set(names.dropna()) - {""}))}
