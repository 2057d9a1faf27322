"""TAPE's tasks in TAPE's own archives: LMDB or JSON, one database per split.

Rao et al., NeurIPS 2019 (arXiv:1906.08230). An archive holds ``<task>/<task>_<split>.lmdb`` or
``….json``. LMDB values are pickles: they are read by an unpickler that knows plain values and numpy
arrays and nothing else, so that a file from elsewhere cannot run code.
"""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.tasks.archives import extract_files
from pfamformer.tasks.contacts import pairs_within
from pfamformer.tasks.rows import TaskRows, TaskTables

#: Splits by what we call them. Holdouts other than plain ``test`` keep their name.
PARTS = {
    "train": "train",
    "valid": "dev",
    "test": "test",
    "test_fold_holdout": "test_fold",
    "test_superfamily_holdout": "test_superfamily",
    "test_family_holdout": "test_family",
    "casp12": "test_casp12",
    "ts115": "test_ts115",
    "cb513": "test_cb513",
}
#: Three states of secondary structure, as numbered in TAPE: helix, strand, coil.
STATES = "HEC"
# TAPE's distance below which two residues touch, Å.
_TAPE_DISTANCE = 8.0
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_ALLOWED = {
    *((module, name) for module in _NUMPY for name in ("_reconstruct", "scalar")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not plain data")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_tape(path: str | Path, task: str) -> TaskTables:
    """Read an archive (``.tar.gz``) or a folder of a TAPE task.

    Args:
        task: remote_homology, secondary_structure, proteinnet, fluorescence or stability.

    Raises:
        InputError: no archive, no split in it, or a record without what the task asks.
    """
    rows = TaskRows(path)
    for split, file, number, record in _records(path, task):
        _LABELS[task](rows, f"{Path(file).name}, record {number}", PARTS[split], record)
    return rows.tables()


def _records(path: str | Path, task: str) -> Iterator[tuple[str, Path, int, dict]]:
    with tempfile.TemporaryDirectory(prefix="pfamformer-tape-") as name:
        folder = Path(path)
        if not folder.is_dir():
            folder = Path(name)
            _extract(path, folder)
        found = 0
        for split in PARTS:
            for file in sorted(folder.rglob(f"{task}_{split}.*")):
                reader = {".lmdb": _read_lmdb, ".json": _read_json}.get(file.suffix)
                if reader is not None:
                    found += 1
                    log.info("%s", file.name)
                    for number, record in enumerate(reader(path, file)):
                        yield split, file, number, record
        if not found:
            raise InputError(path, f"holds no {task}_<split>.lmdb or .json")


def _extract(path: str | Path, folder: Path) -> None:
    try:
        with tarfile.open(path) as archive:
            extract_files(archive, folder)
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(
            path, f"truncated or damaged archive ({error})", remedy="Delete it and fetch it again"
        ) from error


def _read_lmdb(archive: str | Path, file: Path) -> Iterator[dict]:
    try:
        with (
            lmdb.open(
                str(file), readonly=True, lock=False, readahead=False, subdir=file.is_dir()
            ) as database,
            database.begin() as transaction,
        ):
            count = _plain(transaction.get(b"num_examples") or b"")
            for number in range(count):
                yield _plain(transaction.get(str(number).encode()) or b"")
    except (lmdb.Error, pickle.UnpicklingError, EOFError, ValueError, TypeError) as error:
        raise InputError(archive, f"not readable as LMDB ({error})", record=file.name) from error


def _plain(value: bytes) -> Any:
    return _PlainUnpickler(io.BytesIO(value)).load()


def _read_json(archive: str | Path, file: Path) -> Iterator[dict]:
    try:
        with open(file, encoding="utf-8") as text:
            yield from json.load(text)
    except (ValueError, TypeError) as error:
        raise InputError(archive, f"not readable as JSON ({error})", record=file.name) from error


def _sequence(record: Mapping) -> tuple[str, str]:
    name = record.get("id", "")
    return (name.decode() if isinstance(name, bytes) else str(name)), record["primary"]


def _remote_homology(rows: TaskRows, where: str, part: str, record: Mapping) -> None:
    with rows.guard(where):
        rows.add(where, *_sequence(record), part, label=str(int(record["fold_label"])))


def _secondary_structure(rows: TaskRows, where: str, part: str, record: Mapping) -> None:
    with rows.guard(where):
        states = np.asarray(record["ss3"], dtype=int)
        valid = np.asarray(record.get("valid_mask", np.ones(len(states))), dtype=bool)
        letters = [STATES[s] if v and s >= 0 else "-" for s, v in zip(states, valid, strict=True)]
        if len(letters) != len(record["primary"]):
            rows.reject(where, f"{len(record['primary'])} residues, {len(letters)} labels")
        else:
            rows.add(where, *_sequence(record), part, label="".join(letters))


def _regression(key: str):
    def read(rows: TaskRows, where: str, part: str, record: Mapping) -> None:
        with rows.guard(where):
            value = float(np.ravel(record[key])[0])
            rows.add(where, *_sequence(record), part, value=value)

    return read


def _proteinnet(rows: TaskRows, where: str, part: str, record: Mapping) -> None:
    with rows.guard(where):
        valid = np.asarray(record["valid_mask"], dtype=bool)
        positions = np.asarray(record["tertiary"], dtype=float).reshape(len(valid), 3).copy()
        positions[~valid] = np.nan
        if len(valid) != len(record["primary"]):
            rows.reject(where, f"{len(record['primary'])} residues, {len(valid)} positions")
            return
        label = "".join("+" if seen else "-" for seen in valid)
        name = rows.add(where, *_sequence(record), part, label=label)
        if name is not None:
            rows.contacts(name, pairs_within(positions, _TAPE_DISTANCE))


_LABELS = {
    "remote_homology": _remote_homology,
    "secondary_structure": _secondary_structure,
    "proteinnet": _proteinnet,
    "fluorescence": _regression("log_fluorescence"),
    "stability": _regression("stability_score"),
}
