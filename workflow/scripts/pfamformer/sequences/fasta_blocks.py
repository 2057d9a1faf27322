"""Reading FASTA by the block, for files of which a Python call per record would be too slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from xopen import xopen

from pfamformer.compiled import compiled
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import TRANSLATION
from pfamformer.sequences.blocks import BLOCK, Block
from pfamformer.sequences.fasta import DAMAGE, damaged

# The longest protein known has 45,000 residues; a "record" beyond this is no protein.
LONGEST_RECORD = 1 << 26
_TOKENS = np.frombuffer(TRANSLATION, np.uint8)
_HEADER, _NEWLINE = b">\n"


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
    tokens = np.empty(len(raw), np.uint8)
    # A record has at least a '>' and a line end; memory that is not touched costs nothing.
    offsets = np.empty(len(raw) // 2 + 1, np.int64)
    offsets = offsets[: _read_records(raw, _TOKENS, tokens, offsets) + 1].copy()
    return Block(tokens[: offsets[-1]].tobytes(), offsets)


@compiled
def _read_records(text, table, tokens, offsets):
    """Tokens of the lines that are no headers; returns the number of records.

    Sixteen bytes at a time without a branch; what is written beyond a line end is overwritten.
    """
    position, size, written, records = 0, len(text), 0, 0
    while position < size:
        header = text[position] == _HEADER
        if header:
            offsets[records] = written
            records += 1
        while position + 16 <= size:
            some, into, ended = (
                text[position : position + 16],
                tokens[written : written + 16],
                False,
            )
            for offset in range(16):
                letter = some[offset]
                into[offset] = table[letter]
                ended |= letter == _NEWLINE
            if ended:
                break
            position += 16
            written += 0 if header else 16
        while text[position] != _NEWLINE:
            if not header:
                tokens[written] = table[text[position]]
                written += 1
            position += 1
        position += 1
    offsets[records] = written
    return records
