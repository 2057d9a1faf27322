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
_ONE, _SIXTEEN = np.uint64(1), np.uint64(16)


def fasta_blocks(path: str | Path, size: int = BLOCK) -> Iterator[Block]:
    """Read FASTA, gzipped or not, block by block; a second thread decompresses.

    Args:
        size: bytes of text in a block, about; a longer record makes a longer block.

    Raises:
        InputError: missing, truncated or damaged file, or no FASTA.
    """
    # One buffer for all: what is left of a record moves to its front, the rest arrives behind it.
    text, held, records = bytearray(2 * size), 0, 0
    try:
        with xopen(path, "rb", threads=1) as file:
            while got := file.readinto(memoryview(text)[held : held + size]):
                stop = _without_returns(text, held, held + got)
                if not records and not text.startswith(b">"):
                    raise _no_fasta(path, "it does not start with '>'", 0)
                end = text.rfind(b"\n>", 0, stop) + 1
                held = stop - end
                if held > LONGEST_RECORD:
                    raise _no_fasta(path, f"a record exceeds {LONGEST_RECORD:,} bytes", records)
                if end:
                    block = _parse(np.frombuffer(text, np.uint8, end))
                    records += len(block)
                    yield block
                    text[:held] = text[end:stop]
                if held + size > len(text):
                    text.extend(bytes(len(text)))
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except DAMAGE as error:
        raise damaged(path, f"after record {records:,}", error) from error
    if held:
        last = bytes(text[:held])
        yield _parse(np.frombuffer(last if last.endswith(b"\n") else last + b"\n", np.uint8))


def _without_returns(text: bytearray, start: int, stop: int) -> int:
    """Close the gaps of carriage returns between two places; returns the new end."""
    if text.find(b"\r", start, stop) < 0:
        return stop
    left = text[start:stop].replace(b"\r", b"")
    text[start : start + len(left)] = left
    return start + len(left)


def _no_fasta(path: str | Path, problem: str, records: int) -> InputError:
    return InputError(
        path, problem, record=f"after record {records:,}", remedy="Is this a protein FASTA file?"
    )


def _parse(text: np.ndarray) -> Block:
    """Whole records, each line with its end, as a block."""
    tokens = np.empty(len(text), np.uint8)
    # A record has at least a '>' and a line end; memory that is not touched costs nothing.
    offsets = np.empty(len(text) // 2 + 1, np.int64)
    offsets = offsets[: _read_records(text, _TOKENS, tokens, offsets) + 1].copy()
    return Block(tokens[: offsets[-1]].tobytes(), offsets)


@compiled
def _read_records(text, table, tokens, offsets):
    """Tokens of the lines that are no headers; returns the number of records.

    Sixteen bytes at a time without a branch; what is written beyond a line end is overwritten.
    Positions are unsigned, so that none can count from the end.
    """
    position, size, written, records = np.uint64(0), np.uint64(len(text)), np.uint64(0), 0
    while position < size:
        header = text[position] == _HEADER
        if header:
            offsets[records] = written
            records += 1
        while position + _SIXTEEN <= size:
            ended = False
            for offset in range(_SIXTEEN):
                letter = text[position + offset]
                tokens[written + offset] = table[letter]
                ended |= letter == _NEWLINE
            if ended:
                break
            position += _SIXTEEN
            written += np.uint64(0) if header else _SIXTEEN
        while text[position] != _NEWLINE:
            if not header:
                tokens[written] = table[text[position]]
                written += _ONE
            position += _ONE
        position += _ONE
    offsets[records] = written
    return records
