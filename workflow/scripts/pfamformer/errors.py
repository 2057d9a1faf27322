"""Errors that a user can act on."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Bad input, said in one sentence: which file, which record, what is wrong, what to do.

    Scripts print it without a traceback and end with status 1.
    """

    def __init__(
        self,
        file: str | Path,
        problem: str,
        *,
        record: str | None = None,
        remedy: str | None = None,
    ) -> None:
        where = f"{file}" if record is None else f"{file}, {record}"
        super().__init__(f"{where}: {problem}" + (f". {remedy}" if remedy else ""))
