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
from pfamformer.sequences.words import line_end

# The longest protein known has 45,000 residues; a "record" beyond this is no protein.
LONGEST_RECORD = 1 << 26
_HEADER, _NEWLINE = b">\n"
_ONE, _TWO = np.uint64(1), np.uint64(2)
# The two tokens of each two bytes, and above them a flag where one of them is a line end.
_LINE_END = np.uint32(1 << 16)
_TOKENS = np.frombuffer(TRANSLATION, np.uint8).astype(np.uint32)
_TOKENS[_NEWLINE] |= _LINE_END
_PAIRS = np.add.outer(_TOKENS << 8, _TOKENS).ravel()


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
    # One token more: the last pair of a line may hold a line end.
    tokens = np.empty(len(text) + 1, np.uint8)
    # A record has at least a '>' and a line end; memory that is not touched costs nothing.
    offsets = np.empty(len(text) // 2 + 1, np.int64)
    records = _read_records(text, _in_pairs(text), _PAIRS, _in_pairs(tokens), offsets)
    offsets = offsets[: records + 1].copy()
    tokens.flags.writeable = False
    return Block(tokens[: offsets[-1]], offsets)


def _in_pairs(letters: np.ndarray) -> np.ndarray:
    """The same memory as overlapping pairs: one from every position on but the last."""
    return np.ndarray(len(letters) - 1, "<u2", letters, strides=(1,))


@compiled
def _read_records(text, words, pairs, tokens, offsets):
    """Tokens of the lines that are no headers; returns the number of records.

    A line is taken to be as long as the one before; its end is looked for only where that is wrong.
    Positions are unsigned, so that none can count from the end.
    """
    position, size, written, width = np.uint64(0), np.uint64(len(text)), np.uint64(0), np.uint64(0)
    records = 0
    while position < size:
        header = text[position] == _HEADER
        if header:
            offsets[records] = written
            records += 1
        length = width
        if (
            header or position + width >= size or text[position + width] != _NEWLINE
            or _translate(words, position, pairs, tokens, written, width)
        ):  # fmt: skip
            length = np.uint64(line_end(text, np.int64(position), np.int64(size))) - position
            if not header:
                _translate(words, position, pairs, tokens, written, length)
                # Of a line of odd length the last pair would hold its end.
                width = length & ~_ONE
        written += np.uint64(0) if header else length
        position += length + _ONE
    offsets[records] = written
    return records


@compiled
def _translate(words, position, pairs, tokens, written, length):
    """Write the tokens of so many letters; returns whether a line end is among them."""
    flags = np.uint32(0)
    for offset in range(np.uint64(0), length, _TWO):
        pair = pairs[words[position + offset]]
        tokens[written + offset] = pair
        flags |= pair
    return flags >= _LINE_END
