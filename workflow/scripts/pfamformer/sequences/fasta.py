"""Reading and writing FASTA, gzipped or not: record by record, or by the block."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import dnaio
import numpy as np
from isal.igzip_lib import IsalError
from xopen import xopen

from pfamformer.command import atomic_path
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import TRANSLATION
from pfamformer.sequences.blocks import BLOCK, Block, offsets_of

# The longest protein known has 45,000 residues; a "record" beyond this is no protein.
LONGEST_RECORD = 1 << 26
#: What reading a compressed file raises when it is cut or its bytes were changed.
DAMAGE = (EOFError, OSError, zlib.error, IsalError)


def read_fasta(path: str | Path) -> Iterator[tuple[str, str]]:
    """Yield (header without ``>``, sequence) for each record.

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
    except (*DAMAGE, dnaio.FileFormatError) as error:
        raise damaged(path, record, error) from error


def damaged(path: str | Path, record: str, error: Exception) -> InputError:
    """The message for a file that ends early or does not decompress."""
    return InputError(
        path,
        f"truncated or damaged ({error})",
        record=record,
        remedy="Delete it and rerun to fetch or build it again",
    )


def fasta_blocks(path: str | Path, size: int = BLOCK) -> Iterator[Block]:
    """Read FASTA, gzipped or not, block by block; a second thread decompresses.

    Args:
        size: bytes of text in a block, about; a longer record makes a longer block.

    Raises:
        InputError: missing, truncated or damaged file, or no FASTA.
    """
    rest, records = b"", 0
    try:
        with xopen(path, "rb", threads=1) as file:
            while text := file.read(size):
                text = rest + text if rest else text
                if not records and not text.startswith(b">"):
                    raise _no_fasta(path, "it does not start with '>'", 0)
                end = text.rfind(b"\n>") + 1
                if len(text) - end > LONGEST_RECORD:
                    raise _no_fasta(path, f"a record exceeds {LONGEST_RECORD:,} bytes", records)
                rest = text[end:]
                if end:
                    block = _parse(text[:end])
                    records += len(block)
                    yield block
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except DAMAGE as error:
        raise damaged(path, f"after record {records:,}", error) from error
    if rest:
        yield _parse(rest)


def _no_fasta(path: str | Path, problem: str, records: int) -> InputError:
    return InputError(
        path, problem, record=f"after record {records:,}", remedy="Is this a protein FASTA file?"
    )


def _parse(text: bytes) -> Block:
    """Whole records as a block."""
    if b"\r" in text:
        text = text.replace(b"\r", b"")
    if not text.endswith(b"\n"):
        text += b"\n"
    raw = np.frombuffer(text, np.uint8)
    line_ends = np.flatnonzero(raw == ord("\n"))
    line_starts = np.concatenate([[0], line_ends[:-1] + 1])
    headers = np.flatnonzero(raw[line_starts] == ord(">"))
    starts = line_ends[headers] + 1
    ends = np.append(line_starts[headers[1:]], len(text))
    lines = np.diff(headers, append=len(line_ends)) - 1
    bodies = [text[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
    return Block(b"".join(bodies).translate(TRANSLATION, b"\n"), offsets_of(ends - starts - lines))


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
