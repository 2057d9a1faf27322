"""Ablations: fine-tuning runs beside a base run, what differs, what it gains and what it costs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pfamformer.config import AblationSettings, EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.classification import (
    accuracy,
    correct,
    difference,
    unpaired_difference,
)
from pfamformer.tables import read_table

COLUMNS = [
    "run", "differs", "seeds", "domains", "accuracy", "accuracy_low", "accuracy_high",
    "accuracy_sd", "family_accuracy", "delta", "delta_low", "delta_high", "paired", "perplexity",
    "parameters", "residues", "hours", "pretraining_hours", "device",
]  # fmt: skip
#: Settings of a run that say nothing about what it computes.
_BOOKKEEPING = {
    "seed", "seeds", "log_every", "save_every", "kind", "validate_every", "tensorboard",
}  # fmt: skip


@dataclass(frozen=True)
class Training:
    """Settings and cost of one training run; ``hours`` are hours of a GPU or of a CPU core."""

    settings: dict[str, Any]
    parameters: int
    residues: int
    hours: float
    device: str
    valid_loss: float

    @classmethod
    def read(cls, project: Path, kind: str, run: str) -> Training:
        """Read ``runs/<run>/config.json`` and the files of ``<kind>/<run>``."""
        folder = project / kind / run
        summary = _json(folder / "summary.json")
        metrics = read_metrics(folder / "metrics.tsv")
        workers = summary["processes"] * (summary["threads"] if summary["device"] == "CPU" else 1)
        valid = metrics.loc[metrics["part"] == "valid", "loss"]
        return cls(
            _json(project / "runs" / run / "config.json"),
            summary["parameters"],
            summary["residues_read"],
            training_seconds(metrics) * workers / 3600,
            "CPU cores" if summary["device"] == "CPU" else summary["device"],
            float(valid.iloc[-1]) if len(valid) else math.nan,
        )


def read_metrics(path: Path) -> pd.DataFrame:
    """The ``metrics`` table of a run."""
    try:
        return pd.read_csv(path, sep="\t")
    except FileNotFoundError as error:
        raise _missing(path) from error


def training_seconds(metrics: pd.DataFrame) -> float:
    """Seconds spent in training steps, all starts of a resumed run together.

    Each line of the ``metrics`` table says how many residues were read since the last and how fast.
    """
    train = metrics[metrics["part"] == "train"]
    read = train["tokens"].diff().fillna(train["tokens"])
    return float((read / train["tokens_per_second"]).sum())


@dataclass(frozen=True)
class Candidate:
    """One entry of a comparison: a run, or its repetitions with other seeds."""

    name: str
    tables: list[pd.DataFrame]
    fine: list[Training]
    start: list[Training | None]

    @classmethod
    def read(cls, results: Path, name: str, runs: Sequence[str]) -> Candidate:
        """Read the runs ``<project>/<run>`` under ``results``."""
        tables, fine, start = [], [], []
        for project, run in (run.split("/") for run in runs):
            folder = results / project
            fine.append(Training.read(folder, "finetune", run))
            split = folder / "splits" / fine[-1].settings["split"] / "split.parquet"
            path = folder / "finetune" / run / "predictions.parquet"
            predictions = read_table("predictions", path)
            tables.append(correct(predictions, read_table("split", split), str(path)))
            begins = fine[-1].settings["start_from"]
            start.append(Training.read(folder, "pretrain", begins) if begins else None)
        return cls(name, tables, fine, start)

    @classmethod
    def combined(cls, results: Path, project: str, name: str, members: Sequence[str]) -> Candidate:
        """Read a combination: its own predictions, the cost of all that was trained for it."""
        each = cls.read(results, name, [f"{project}/{run}" for run in members])
        folder = results / project
        path = folder / "combinations" / name / "predictions.parquet"
        split = read_table("split", folder / "splits" / "clustered" / "split.parquet")
        table = correct(read_table("predictions", path), split, str(path))
        # Members may share one pretraining, which is paid for once.
        begins = {
            fine.settings["start_from"]: start
            for fine, start in zip(each.fine, each.start, strict=True)
            if start is not None
        }
        fine = _together(each.fine, {"members": ", ".join(members)})
        return cls(name, [table], [fine], [_together([*begins.values()], {}) if begins else None])

    @property
    def right(self) -> pd.DataFrame:
        """Columns of :func:`correct`; ``right`` is the mean over repetitions."""
        mean = sum(table["right"].astype(float) for table in self.tables) / len(self.tables)
        return self.tables[0].assign(right=mean)

    @property
    def pretrained(self) -> list[Training]:
        """Pretraining runs whose weights were used."""
        return [
            start
            for fine, start in zip(self.fine, self.start, strict=True)
            if start is not None and fine.settings["weights"] == "pretrained"
        ]

    def settings(self) -> dict[str, str]:
        """Every setting of the first repetition by path, its pretraining run's behind ``start``."""
        found = dict(_flat(self.fine[0].settings))
        begins = self.start[0]
        if begins is not None:
            found.pop("start_from")
            # Of an untrained start only the shape of the network counts.
            of_start = (
                begins.settings if self.pretrained else {"network": begins.settings["network"]}
            )
            found |= {f"start.{key}": value for key, value in _flat(of_start)}
        return found


def _together(trainings: Sequence[Training], more: dict[str, Any]) -> Training:
    """Several trainings as one: settings of the first, cost of all."""
    first = trainings[0]
    return replace(
        first,
        settings=first.settings | more,
        parameters=sum(t.parameters for t in trainings),
        residues=sum(t.residues for t in trainings),
        hours=sum(t.hours for t in trainings),
    )


def make_table(
    results: Path,
    project: str,
    ablation: AblationSettings,
    replicates: Mapping[str, Sequence[str]],
    settings: EvaluationSettings,
    seed: int,
    combined: Sequence[str] = (),
) -> pd.DataFrame:
    """One row per run, the base first; accuracies and differences in per cent.

    Args:
        results: folder with one folder per project.
        replicates: per run of this project, the runs behind its name.
        combined: names that are combinations of the runs behind them.

    Returns:
        Columns as in ``docs/tables.md``. ``delta`` is the accuracy minus that of the base run, with
        a bootstrap interval over similarity components, paired where both were judged on the same
        domains.

    Raises:
        InputError: a run of another project is not finished.
    """
    names = {
        name: [f"{project}/{run}" for run in replicates[name]]
        for name in dict.fromkeys([ablation.base, *ablation.runs])
    }
    names |= {name: [name] for name in ablation.compare_with}
    candidates = [
        Candidate.combined(results, project, name, replicates[name])
        if name in combined
        else Candidate.read(results, name, runs)
        for name, runs in names.items()
    ]
    rows = [_row(found, candidates[0], settings, seed) for found in candidates]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    one: Candidate, base: Candidate, settings: EvaluationSettings, seed: int
) -> dict[str, Any]:
    options = {"draws": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
    right, reference = one.right, base.right
    found = accuracy(right, **options)
    paired = right[["id", "component"]].equals(reference[["id", "component"]])
    compare = difference if paired else unpaired_difference
    delta = compare(right, reference, **options)
    each = [100 * table["right"].mean() for table in one.tables]
    pretrained = one.pretrained
    return {
        "run": one.name,
        "differs": differences(one.settings(), base.settings()),
        "seeds": len(one.tables),
        "domains": found.domains,
        **{
            f"{key}{end}": 100 * getattr(interval, part)
            for key, interval in (("accuracy", found.per_instance), ("delta", delta))
            for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))
            if one is not base or key == "accuracy"
        },
        "accuracy_sd": pd.Series(each).std(),
        "family_accuracy": 100 * found.per_family.value,
        "paired": "yes" if paired else "no",
        "perplexity": math.exp(_mean(t.valid_loss for t in pretrained)) if pretrained else math.nan,
        "parameters": one.fine[0].parameters,
        "residues": round(
            _mean(t.residues for t in one.fine) + _mean(t.residues for t in pretrained)
        ),
        "hours": _mean(t.hours for t in one.fine),
        "pretraining_hours": _mean(t.hours for t in pretrained),
        "device": one.fine[0].device,
    }


def differences(one: Mapping[str, str], base: Mapping[str, str]) -> str:
    """Settings that differ from the base run's, as ``key value``.

    Where only one of them starts from a trained network, that is said by ``weights`` or by the
    encoder, not by every setting of its pretraining.
    """
    keys = [
        k
        for k in {**base, **one}
        if one.get(k) != base.get(k)
        and not (k.startswith("start.") and (k not in one or k not in base))
    ]
    return ", ".join(f"{k.replace('.', ' ')} {one.get(k, 'none')}" for k in sorted(keys))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif key not in _BOOKKEEPING:
            yield f"{prefix}{key}", str(value)


def _mean(values: Iterator[float]) -> float:
    """The mean; 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(path) from error


def _missing(path: Path) -> InputError:
    return InputError(path, "no such file", remedy="Finish that run in its project first")
