"""Reading and writing FASTA, gzipped or not, record by record."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import dnaio
from isal.igzip_lib import IsalError
from xopen import xopen

from pfamformer.command import atomic_path
from pfamformer.errors import InputError

#: What reading a compressed file raises when it is cut or its bytes were changed.
DAMAGE = (EOFError, OSError, zlib.error, IsalError)
#: What to do about a damaged file that a rule fetched or built.
MAKE_AGAIN = "Delete it and rerun to fetch or build it again"


def read_fasta(path: str | Path, remedy: str = MAKE_AGAIN) -> Iterator[tuple[str, str]]:
    """Yield (header without ``>``, sequence) for each record.

    Args:
        remedy: what to do about a file that cannot be read.

    Raises:
        InputError: when the file is missing, truncated, damaged or not FASTA.
    """
    record = "start of file"
    try:
        with dnaio.open(path, fileformat="fasta", open_threads=0) as reader:
            for entry in reader:
                record = f"after record {entry.name.split()[0] if entry.name else '(unnamed)'}"
                yield entry.name, entry.sequence
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except (*DAMAGE, dnaio.FileFormatError, UnicodeDecodeError) as error:
        raise damaged(path, f"{record}, {_readable(path)}", error, remedy) from error


def _readable(path: str | Path) -> str:
    """How far a damaged file can be read; only counted when it is needed."""
    number = 0
    with suppress(*DAMAGE), xopen(path, "rb", threads=0) as lines:
        for number, _ in enumerate(lines, 1):  # noqa: B007
            pass
    return f"readable to line {number}"


def damaged(
    path: str | Path, record: str, error: Exception, remedy: str = MAKE_AGAIN
) -> InputError:
    """The message for a file that ends early or does not decompress."""
    return InputError(
        path,
        f"truncated or damaged ({error})",
        record=record,
        remedy=remedy,
    )


@contextmanager
def open_gzip_writer(path: str | Path) -> Iterator[IO[str]]:
    """Write text to a gzip file atomically; equal text gives equal bytes (no time stamp)."""
    with (
        atomic_path(path) as temporary,
        open(temporary, "wb") as raw,
        # Level 6 is the usual trade; mtime=0 and an empty name keep the bytes reproducible.
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="ascii", newline="\n") as text,
    ):
        yield text


def write_fasta(path: str | Path, records: Iterable[tuple[str, str]], width: int = 60) -> int:
    """Write records to ``path`` (gzipped when it ends in ``.gz``); returns their number."""
    opener = open_gzip_writer if str(path).endswith(".gz") else _open_plain
    count = 0
    with opener(path) as out:
        for header, sequence in records:
            lines = "\n".join(sequence[i : i + width] for i in range(0, len(sequence), width))
            out.write(f">{header}\n{lines}\n")
            count += 1
    return count


@contextmanager
def _open_plain(path: str | Path) -> Iterator[IO[str]]:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii") as out:
        yield out
