"""Networks on TAPE's tasks: a state of every residue, contacts, or a value of every protein."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pandas.util import hash_pandas_object

from pfamformer.config import NetworkSettings, TaskRunSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.contacts import best_pairs
from pfamformer.model.classifier import Classifier
from pfamformer.model.pairs import PairClassifier
from pfamformer.model.residues import ResidueClassifier
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import write_table
from pfamformer.training.batches import InMemory
from pfamformer.training.device import autocast, hash_of, prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.heads import fit
from pfamformer.training.objectives.labels import UNKNOWN, States, Values
from pfamformer.training.objectives.pairs import NEAREST, Pairs
from pfamformer.training.reading import read
from pfamformer.training.results import digest_of_ids, finish, save_trained, summary_of
from pfamformer.training.starts import Trained

#: Label of a residue of which nothing is known, in the ``task`` table.
UNLABELLED = "-"
#: Label of a residue whose position is known, where contacts are the task.
SEEN = "+"

PAIRS = ["id", "first", "second", "score"]


class Answer(NamedTuple):
    """What a network says of a row: a label, a value, or its best-scored pairs."""

    label: str = ""
    value: float = np.nan
    pairs: pd.DataFrame | None = None


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

    def read(self, output_BLS: torch.Tensor, rows: pd.DataFrame) -> Iterator[Answer]:
        """What the network says of each row of a batch."""
        states_BL = output_BLS.argmax(-1).cpu().numpy()
        letters = np.array(self.states)
        for states, sequence in zip(states_BL, rows["sequence"], strict=True):
            yield Answer(label="".join(letters[states[1 : len(sequence) + 1]]))

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

    def read(self, output_B1: torch.Tensor, rows: pd.DataFrame) -> Iterator[Answer]:
        """What the network says of each row of a batch."""
        for value in output_B1[:, 0].float().cpu().numpy():
            yield Answer(value=float(value) * self.scale + self.mean)

    @property
    def about(self) -> dict[str, Any]:
        """What reading the network again needs."""
        return {"mean": self.mean, "scale": self.scale}


class ContactTask:
    """Pairs of residues that touch: contact prediction."""

    whole = True

    def __init__(self, training: pd.DataFrame, contacts: pd.DataFrame) -> None:
        touching = dict(list(contacts.groupby("id")[["first", "second"]]))
        none = pd.DataFrame({"first": [], "second": []})
        pairs = [touching.get(name, none).to_numpy(dtype=int) - 1 for name in training["id"]]
        seen = [_seen(label) for label in training["label"]]
        self.objective = Pairs(seen, pairs)
        far = sum(int((p[:, 1] - p[:, 0] >= NEAREST).sum()) for p in pairs)
        known = sum(int(np.triu(np.outer(s, s), NEAREST).sum()) for s in seen)
        self.share = far / max(1, known)

    def model(self, network: NetworkSettings | None, settings: TaskRunSettings) -> Any:
        """The untrained network."""
        return PairClassifier(network, self.share, settings)

    def read(self, output_BLL: torch.Tensor, rows: pd.DataFrame) -> Iterator[Answer]:
        """What the network says of each row of a batch."""
        for logits_LL, label in zip(output_BLL.float().cpu().numpy(), rows["label"], strict=True):
            inside = slice(1, len(label) + 1)
            yield Answer(label, pairs=best_pairs(logits_LL[inside, inside], _seen(label)))

    @property
    def about(self) -> dict[str, Any]:
        """What reading the network again needs."""
        return {"share": self.share}


def _seen(label: str) -> np.ndarray:
    return np.array(list(label)) == SEEN


def task_of(
    training: pd.DataFrame, contacts: pd.DataFrame, path: str | Path
) -> StateTask | ValueTask | ContactTask:
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
            remedy="Folds are learnt by runs of kind 'fold'",
        )  # fmt: skip
    if SEEN in set("".join(training["label"])):
        return ContactTask(training, contacts)
    return StateTask(training)


def train_task(
    settings: TaskRunSettings,
    start: Trained | None,
    table: pd.DataFrame,
    contacts: pd.DataFrame,
    path: str | Path,
    state_folder: Path,
    output: Path,
    threads: int,
) -> None:
    """Train; writes weights, ``answers`` (what the network says of every held-out row), metrics.

    Args:
        table: the ``task`` table, read from ``path``.
        contacts: the ``contacts`` table; empty where they are not the task.
    """
    team, device = join_team(), prepare_device(threads)
    training = table[table["part"] == "train"].reset_index(drop=True)
    task = task_of(training, contacts, path)
    torch.manual_seed(hash_of(settings.seed, -3))
    model = task.model(start and start.settings.network, settings)
    started = time.monotonic()
    metrics, state = fit(
        model, task.objective, training["sequence"].tolist(), settings, start, state_folder,
        {"rows": digest_of_ids(training["id"]), "labels": _labels(training, contacts)},
        team, device, whole=task.whole,
    )  # fmt: skip
    if not team.leads:
        return
    seconds = time.monotonic() - started
    save_trained(output, model, settings, start, task.about)
    held_out = table[table["part"] != "train"].reset_index(drop=True)
    answers, pairs = _answers(model, task, held_out, settings)
    write_table(answers, "task", output / "answers.parquet")
    write_table(pairs, "pairs", output / "pairs.parquet")
    summary = summary_of(model, settings, metrics, team, threads, seconds)
    finish(output, metrics, summary | {"training_rows": len(training)}, state)


def _labels(training: pd.DataFrame, contacts: pd.DataFrame) -> str:
    pairs = zip(training["label"], training["value"], strict=True)
    labels = [f"{label} {value}" for label, value in pairs]
    touching = contacts[contacts["id"].isin(training["id"])]
    # Millions of contacts: hashed as columns, not row by row.
    rows = hash_pandas_object(touching, index=False).to_numpy()
    return digest_of_ids(pd.Series([*labels, hashlib.sha256(rows.tobytes()).hexdigest()]))


def _answers(
    model: Any, task: StateTask | ValueTask | ContactTask, table: pd.DataFrame,
    settings: TaskRunSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The table with labels and values as the network says them, and its best-scored pairs."""
    device = next(model.parameters()).device
    rows = InMemory([encode(s) for s in table["sequence"]])
    longest = int(rows.lengths.max()) if task.whole else settings.max_length
    said: list[Answer] = [Answer()] * len(table)
    model.eval()
    with torch.inference_mode(), autocast(settings.precision, device):
        budget = settings.tokens_per_batch
        for batch, output in read(model, lambda b: model(b.tokens), rows, budget, longest):
            found = task.read(output, table.iloc[batch.rows])
            for row, answer in zip(batch.rows, found, strict=True):
                said[row] = answer
    answers = table.assign(label=[a.label for a in said], value=[a.value for a in said])
    pairs = [
        answer.pairs.assign(id=name)
        for name, answer in zip(table["id"], said, strict=True)
        if answer.pairs is not None
    ]
    empty = pd.DataFrame(columns=PAIRS)
    return answers, pd.concat(pairs, ignore_index=True)[PAIRS] if pairs else empty
