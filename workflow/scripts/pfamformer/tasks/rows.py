"""Rows of the ``task`` table, collected one by one: checked, named apart, or rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import encode


@dataclass(frozen=True)
class TaskTables:
    """The tables ``task`` and ``contacts``, and rejects (``file``, ``record``, ``reason``)."""

    task: pd.DataFrame
    contacts: pd.DataFrame
    rejects: pd.DataFrame


class TaskRows:
    """Collects rows of one file. Records in = rows + rejects."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._rows: list[tuple] = []
        self._pairs: list[pd.DataFrame] = []
        self._rejects: list[tuple[str, str, str]] = []
        self._names: Counter[str] = Counter()

    @contextmanager
    def guard(self, where: str) -> Iterator[None]:
        """Turn what is missing or of the wrong kind in a record into an error that names it."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                self._path, f"not a record of this task ({type(error).__name__}: {error})",
                record=where,
            ) from error  # fmt: skip

    def reject(self, where: str, reason: str) -> None:
        """Leave a record out."""
        self._rejects.append((str(self._path), where, reason))

    def add(
        self,
        where: str,
        name: str,
        sequence: str,
        part: str,
        label: str = "",
        value: float = np.nan,
    ) -> str | None:
        """Add a row under ``part/name``, numbered if taken; returns its id, None if rejected."""
        sequence = sequence.upper()
        try:
            encode(sequence)
        except ValueError as error:
            self.reject(where, str(error))
            return None
        if not sequence:
            self.reject(where, "empty sequence")
            return None
        name = f"{part}/{name or len(self._rows)}"
        self._names[name] += 1
        if self._names[name] > 1:
            name = f"{name}#{self._names[name]}"
        self._rows.append((name, sequence, label, value, part))
        return name

    def contacts(self, name: str, pairs: np.ndarray) -> None:
        """Add the contacts of a row: pairs of residues, 0-based."""
        self._pairs.append(
            pd.DataFrame({"id": name, "first": pairs[:, 0] + 1, "second": pairs[:, 1] + 1})
        )

    def tables(self) -> TaskTables:
        """What was collected.

        Raises:
            InputError: nothing was.
        """
        task = pd.DataFrame(self._rows, columns=["id", "sequence", "label", "value", "part"])
        if task.empty:
            raise InputError(
                self._path, f"holds no usable record ({len(self._rejects)} were rejected)"
            )
        empty = pd.DataFrame({"id": [], "first": [], "second": []})
        pairs = pd.concat(self._pairs, ignore_index=True) if self._pairs else empty
        rejects = pd.DataFrame(self._rejects, columns=["file", "record", "reason"])
        log.info("%s, %d rejected", task["part"].value_counts().to_dict(), len(rejects))
        return TaskTables(task, pairs, rejects)
