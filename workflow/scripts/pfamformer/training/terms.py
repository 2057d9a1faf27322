"""A network that calls GO terms, from the task to its calls."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
from scipy.sparse import csr_matrix

from pfamformer.config import TermsSettings
from pfamformer.methods.term_network import predict, training_proteins
from pfamformer.model.terms import TermClassifier, sparse
from pfamformer.tables import TableWriter
from pfamformer.tasks.go import GoTask
from pfamformer.tasks.term_targets import Conditions, conditions_of, log_odds, truth_of
from pfamformer.training.device import hash_of, prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.heads import fit
from pfamformer.training.objectives.terms import Terms
from pfamformer.training.results import digest_of_ids, finish, save_trained, summary_of
from pfamformer.training.starts import Trained


def train_terms(
    settings: TermsSettings,
    start: Trained | None,
    task: GoTask,
    state_folder: Path,
    output: Path,
    threads: int,
    run: str,
) -> None:
    """Train; writes weights, ``calls`` on the held-out proteins, metrics and a summary.

    Args:
        run: name of this run, for the tables.
    """
    team, device = join_team(), prepare_device(threads)
    conditions = conditions_of(task.terms, settings.ontology)
    training = training_proteins(task, settings)
    truth = truth_of(task, conditions, training["protein"].tolist())
    torch.manual_seed(hash_of(settings.seed, -3))
    prior = torch.from_numpy(log_odds(truth, conditions))
    model = TermClassifier(start and start.settings.network, prior, settings)
    started = time.monotonic()
    metrics, state = fit(
        model, Terms(truth, conditions), training["sequence"].tolist(), settings, start,
        state_folder, about_of(training["protein"], conditions, truth), team, device,
    )  # fmt: skip
    if not team.leads:
        return
    seconds = time.monotonic() - started
    about = {"terms": conditions.terms, "conditions": conditions.pairs.tolist()}
    save_trained(output, model, settings, start, about)
    held_out = task.proteins[task.proteins["protein"].isin(task.held_out)].reset_index(drop=True)
    closure = sparse(conditions.closure).to(device)
    with TableWriter("calls", output / "calls.parquet") as writer:
        for piece in predict(model, settings, closure, conditions.terms, held_out, run):
            writer.write(pa.Table.from_pandas(piece, preserve_index=False))
    summary = summary_of(model, settings, metrics, team, threads, seconds)
    finish(
        output, metrics,
        summary | {"terms": len(conditions.terms), "training_proteins": len(training)}, state,
    )  # fmt: skip


def about_of(proteins: pd.Series, conditions: Conditions, truth: csr_matrix) -> dict[str, str]:
    """What a training state must share with the run that continues it."""
    facts = hashlib.sha256(truth.indptr.tobytes() + truth.indices.tobytes()).hexdigest()
    return {
        "proteins": digest_of_ids(proteins),
        "terms": digest_of_ids(pd.Series(conditions.terms)),
        "annotations": facts[:16],
    }
