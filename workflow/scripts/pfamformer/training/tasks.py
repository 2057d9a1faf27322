"""Networks on TAPE's tasks with a state of every residue or a value of every protein."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pfamformer.config import NetworkSettings, TaskRunSettings
from pfamformer.errors import InputError
from pfamformer.model.classifier import Classifier
from pfamformer.model.residues import ResidueClassifier
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import write_table
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.device import autocast, hash_of, prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.heads import fit
from pfamformer.training.objectives.labels import UNKNOWN, States, Values
from pfamformer.training.results import digest_of_ids, finish, save_trained, summary_of
from pfamformer.training.starts import Trained

#: Label of a residue of which nothing is known, in the ``task`` table.
UNLABELLED = "-"


class StateTask:
    """A state of every residue: secondary structure."""

    whole = True

    def __init__(self, training: pd.DataFrame) -> None:
        self.states = sorted(set("".join(training["label"])) - {UNLABELLED})
        number = {state: i for i, state in enumerate(self.states)} | {UNLABELLED: UNKNOWN}
        rows = [np.array([number[s] for s in label]) for label in training["label"]]
        self.objective = States(rows)

    def model(self, network: NetworkSettings | None, settings: TaskRunSettings) -> Any:
        """The untrained network."""
        return ResidueClassifier(network, len(self.states), settings)

    def read(self, output_BLS: torch.Tensor, lengths: np.ndarray) -> Iterator[tuple[str, float]]:
        """Label and value of each sequence of a batch."""
        states_BL = output_BLS.argmax(-1).cpu().numpy()
        letters = np.array(self.states)
        for states, length in zip(states_BL, lengths, strict=True):
            yield "".join(letters[states[1 : length + 1]]), np.nan

    @property
    def about(self) -> dict[str, Any]:
        """What reading the network again needs."""
        return {"states": self.states}


class ValueTask:
    """A value of every protein: fluorescence, stability."""

    whole = False

    def __init__(self, training: pd.DataFrame) -> None:
        values = training["value"].to_numpy()
        # All values alike have no scale.
        self.mean, self.scale = float(values.mean()), float(values.std()) or 1.0
        self.objective = Values(torch.from_numpy((values - self.mean) / self.scale))

    def model(self, network: NetworkSettings | None, settings: TaskRunSettings) -> Any:
        """The untrained network."""
        return Classifier(network, 1, settings)

    def read(self, output_B1: torch.Tensor, lengths: np.ndarray) -> Iterator[tuple[str, float]]:
        """Label and value of each sequence of a batch."""
        for value in output_B1[:, 0].float().cpu().numpy():
            yield "", float(value) * self.scale + self.mean

    @property
    def about(self) -> dict[str, Any]:
        """What reading the network again needs."""
        return {"mean": self.mean, "scale": self.scale}


def task_of(training: pd.DataFrame, path: str | Path) -> StateTask | ValueTask:
    """What kind of task a table is, from its training rows.

    Raises:
        InputError: no training rows, or neither values nor states of residues.
    """
    if training.empty:
        raise InputError(path, "no row in part train")
    if training["value"].notna().all():
        return ValueTask(training)
    odd = training["label"].str.len() != training["sequence"].str.len()
    if odd.any():
        record = training["id"][odd].iloc[0]
        raise InputError(
            path, "neither a value nor a state of every residue", record=record,
            remedy="Folds are learnt by runs of kind 'fold'; contacts by no run",
        )  # fmt: skip
    return StateTask(training)


def train_task(
    settings: TaskRunSettings,
    start: Trained | None,
    table: pd.DataFrame,
    path: str | Path,
    state_folder: Path,
    output: Path,
    threads: int,
) -> None:
    """Train; writes weights, ``answers`` (what the network says of every held-out row), metrics.

    Args:
        table: the ``task`` table, read from ``path``.
    """
    team, device = join_team(), prepare_device(threads)
    training = table[table["part"] == "train"].reset_index(drop=True)
    task = task_of(training, path)
    torch.manual_seed(hash_of(settings.seed, -3))
    model = task.model(start and start.settings.network, settings)
    started = time.monotonic()
    metrics, state = fit(
        model, task.objective, training["sequence"].tolist(), settings, start, state_folder,
        {"rows": digest_of_ids(training["id"]), "labels": _labels(training)}, team, device,
        whole=task.whole,
    )  # fmt: skip
    if not team.leads:
        return
    seconds = time.monotonic() - started
    save_trained(output, model, settings, start, task.about)
    held_out = table[table["part"] != "train"].reset_index(drop=True)
    write_table(_answers(model, task, held_out, settings), "task", output / "answers.parquet")
    summary = summary_of(model, settings, metrics, team, threads, seconds)
    finish(output, metrics, summary | {"training_rows": len(training)}, state)


def _labels(training: pd.DataFrame) -> str:
    pairs = zip(training["label"], training["value"], strict=True)
    return digest_of_ids(pd.Series([f"{label} {value}" for label, value in pairs]))


def _answers(
    model: Any, task: StateTask | ValueTask, table: pd.DataFrame, settings: TaskRunSettings
) -> pd.DataFrame:
    """The table with labels and values as the network says them."""
    device = next(model.parameters()).device
    rows = InMemory([encode(s) for s in table["sequence"]])
    longest = int(rows.lengths.max()) if task.whole else settings.max_length
    labels, values = np.full(len(table), "", dtype=object), np.full(len(table), np.nan)
    model.eval()
    with torch.inference_mode(), autocast(settings.precision, device):
        for batch in read_in_order(rows, settings.tokens_per_batch, longest):
            found = task.read(model(batch.tokens), rows.lengths[batch.rows])
            for row, (label, value) in zip(batch.rows, found, strict=True):
                labels[row], values[row] = label, value
    return table.assign(label=labels, value=values)
