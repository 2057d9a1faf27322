"""Lines of text files, plain or compressed, with one clear message where a file is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xopen import xopen

from pfamformer.errors import InputError
from pfamformer.sequences.fasta import DAMAGE, damaged


def read_lines(path: str | Path, encoding: str = "latin-1") -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line without its end); bytes outside the encoding become U+FFFD.

    Raises:
        InputError: the file is missing, truncated or damaged.
    """
    number = 0
    try:
        with xopen(path, "rt", threads=0, encoding=encoding, errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line.rstrip("\r\n")
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except DAMAGE as error:
        raise damaged(path, f"after line {number}", error) from error
