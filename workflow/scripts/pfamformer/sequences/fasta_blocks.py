"""Reading FASTA by the block, for files of which a Python call per record would be too slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from xopen import xopen

from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import TRANSLATION
from pfamformer.sequences.blocks import BLOCK, Block, offsets_of
from pfamformer.sequences.fasta import DAMAGE, damaged

# The longest protein known has 45,000 residues; a "record" beyond this is no protein.
LONGEST_RECORD = 1 << 26


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
