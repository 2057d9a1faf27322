"""A streaming reader for multi-entry Stockholm files such as ``Pfam-A.seed.gz``.

The file comes in blocks of lines that never cross an entry; an entry of ordinary size is one block,
a larger one several, so that memory is bounded whatever the size of a family. Decompression runs in
a thread of its own.
Format: https://en.wikipedia.org/wiki/Stockholm_format and the Pfam user manual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from xopen import xopen

from pfamformer.errors import InputError
from pfamformer.sequences.fasta import DAMAGE, damaged

# Small enough that the lines of a chunk are still in the processor's cache when they are parsed.
CHUNK_BYTES = 1 << 18
# Far above the largest Pfam seed (about 3 MB), far below the memory of a small job.
BLOCK_BYTES = 1 << 24
_START = b"# STOCKHOLM"
_NEWLINE, _SLASH = b"\n/"
_CLOSING = len(b"//")


@dataclass(slots=True)
class Block:
    """Consecutive whole lines of one entry, without the closing ``//``.

    Attributes:
        line: number of the first line, from 1.
        text: the lines, each with its end, uncopied; in the first block of an entry the
            ``# STOCKHOLM`` line comes first.
        opens, closes: whether the entry starts and ends with this block.
        begin: where the text starts in its piece of the file.
    """

    line: int
    text: memoryview
    opens: bool
    closes: bool
    begin: int


@dataclass(slots=True)
class Piece:
    """A piece of a file and the blocks that end in it."""

    text: memoryview
    blocks: list[Block]

    def entries(self) -> np.ndarray:
        """Begin and end in ``text`` of each block that is a whole entry, 0 and 0 of any other."""
        return np.array(
            [
                (block.begin, block.begin + len(block.text))
                if block.opens and block.closes
                else (0, 0)
                for block in self.blocks
            ],
            np.int64,
        ).reshape(-1, 2)


@dataclass(slots=True)
class Row:
    """One aligned row: its name, its aligned text and the line of the file it starts on."""

    name: str
    aligned: str
    line: int


@dataclass(slots=True)
class Alignment:
    """One entry, whole or a part of it.

    Attributes:
        line: where it starts.
        features: ``#=GF`` lines, the first value of each key.
        accessions: ``#=GS … AC``: row name to ``accession.version``.
        rows: in file order.
        blocks: groups of rows between blank lines; more than one in an interleaved alignment.
    """

    line: int
    features: dict[str, str] = field(default_factory=dict)
    accessions: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    blocks: int = 0

    @property
    def accession(self) -> str:
        """Family accession with version (``PF00042.27``), or the name where there is none."""
        return self.features.get("AC") or self.features.get("ID") or f"entry at line {self.line}"

    @property
    def width(self) -> int:
        """Number of alignment columns: that of most rows."""
        lengths = [len(row.aligned) for row in self.rows]
        return max(set(lengths), key=lengths.count) if lengths else 0


def line_ends(text: memoryview) -> np.ndarray:
    """Where lines end: every one, but without a Python call for each."""
    return np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)


def read_blocks(path: str | Path) -> Iterator[Block]:
    """Yield the blocks of a Stockholm file one by one; raises as :func:`read_pieces`."""
    for piece in read_pieces(path):
        yield from piece.blocks


def read_pieces(
    path: str | Path, find: Callable[[memoryview], np.ndarray] = line_ends
) -> Iterator[Piece]:
    """Yield the blocks of a Stockholm file, plain or compressed, in file order, many at once.

    Args:
        find: line ends, where something faster is at hand.

    Raises:
        InputError: missing, truncated or damaged file; text outside an entry; an entry without
            its closing ``//``.
    """
    # The line end before the first line, so that every entry lies between two line ends.
    held, ends, number, opens, begun = b"\n", np.zeros(1, np.int64), 1, True, 1
    try:
        with xopen(path, "rb", threads=1) as file:
            while longer := _longer(file, held):
                piece, known, first, begin = Piece(memoryview(longer), []), len(held), 0, 1
                ends = np.concatenate([ends, known + find(piece.text[known:])])
                closing = _closing(piece.text, ends)
                places = ends[closing + 1].tolist()
                for last, end in zip(closing.tolist(), places, strict=True):
                    text = piece.text[begin : end - _CLOSING]
                    piece.blocks.append(_block(path, number, text, opens, True, begin))
                    number += last - first + 1
                    opens, first, begin = True, last + 1, end + 1
                if len(longer) - begin >= BLOCK_BYTES:
                    text = piece.text[begin : ends[-1] + 1]
                    piece.blocks.append(_block(path, number, text, opens, False, begin))
                    begun = piece.blocks[-1].line if opens else begun
                    number += len(ends) - 1 - first
                    opens, first = False, len(ends) - 1
                yield piece
                held, ends = longer[ends[first] :], ends[first:] - ends[first]
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except DAMAGE as error:
        raise damaged(path, f"after line {_last_line(number, held)}", error) from error
    if not opens or held.strip():
        if opens:
            begun = _block(path, number, memoryview(held)[1:], opens, False, 1).line
        raise InputError(
            path,
            f"the entry that starts at line {begun} has no closing '//'",
            record=f"line {_last_line(number, held)}",
            remedy="The file may be truncated: delete it and rerun",
        )


def _closing(text: memoryview, ends: np.ndarray) -> np.ndarray:
    """Which line ends are followed by a line ``//`` that has its own end."""
    letters, before = np.frombuffer(text, np.uint8), np.flatnonzero(np.diff(ends) == 3)
    slashes = (letters[ends[before] + 1] == _SLASH) & (letters[ends[before] + 2] == _SLASH)
    return before[slashes]


def _last_line(number: int, held: bytes) -> int:
    """Number of the last whole line of the text that is held, which starts at a line end."""
    return max(0, number + held.count(b"\n") - 2)


def _longer(file: BinaryIO, held: bytes) -> bytes | None:
    """What is held and the next piece of a file, with Unix line ends; None at its end.

    The last line gets its end where it has none.
    """
    piece = file.read(CHUNK_BYTES)
    if not piece:
        return None if held.endswith(b"\n") else held + b"\n"
    if piece.endswith(b"\r"):
        piece += file.read(1)
    return held + (piece.replace(b"\r\n", b"\n") if b"\r" in piece else piece)


def _block(
    path: str | Path, number: int, text: memoryview, opens: bool, closes: bool, begin: int
) -> Block:
    """A block out of the text that starts at ``begin`` of its piece, in line ``number``."""
    if opens and text[: len(_START)] != _START:
        whole = bytes(text)
        blank = len(whole) - len(whole.lstrip(b" \t\n"))
        skipped = whole.rfind(b"\n", 0, blank) + 1
        number, text = number + whole.count(b"\n", 0, skipped), text[skipped:]
        begin += skipped
        if text[: len(_START)] != _START:
            raise InputError(
                path,
                "text outside an entry: '# STOCKHOLM 1.0' was expected",
                record=f"line {number}",
                remedy="Is this a Stockholm file?",
            )
    return Block(number, text, opens, closes, begin)


def stockholm_entry(
    features: Mapping[str, object], rows: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """The lines of an entry in Pfam's layout, each with its end.

    Args:
        features: ``#=GF`` lines; characters beyond ASCII are replaced.
        rows: (name, aligned residues with ``.`` for gaps), all of one length.
    """
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0) + 2
    yield "# STOCKHOLM 1.0\n"
    for key, value in features.items():
        yield f"#=GF {key}   {value}\n".encode("ascii", "replace").decode()
    yield from (f"{name:<{width}}{aligned}\n" for name, aligned in rows)
    yield "//\n"


def read_stockholm(path: str | Path) -> Iterator[Alignment]:
    """Yield the entries of a Stockholm file, plain or compressed, each as a whole.

    Interleaved blocks are joined. Rows are not judged here: see
    :func:`pfamformer.families.domains.domains_of`.

    Raises:
        InputError: as :func:`read_blocks`; an entry that starts inside another.
    """
    entry: Alignment | None = None
    for block in read_blocks(path):
        if entry is None:
            entry, by_name = Alignment(block.line), {}
        add_block(path, entry, block, by_name)
        if block.closes:
            yield entry
            entry = None


def add_block(
    path: str | Path, entry: Alignment, block: Block, by_name: dict[str, tuple[int, Row]]
) -> None:
    """Add the lines of a block to its entry.

    Args:
        by_name: of the entry's rows so far: the group each was last seen in, and the row; updated.
    """
    inside = False
    lines = bytes(block.text).split(b"\n")[block.opens : -1]
    for number, raw in enumerate(lines, block.line + block.opens):
        line = raw.decode("latin-1")
        if not line or line.isspace():
            inside = False
        elif line.startswith("#=GF"):
            _, key, value = [*line.split(None, 2), "", ""][:3]
            entry.features.setdefault(key, value.rstrip())
        elif line.startswith("#=GS"):
            words = line.split()
            if len(words) >= 4 and words[2] == "AC":
                entry.accessions[words[1]] = words[3]
        elif line.startswith("# STOCKHOLM"):
            raise InputError(
                path,
                f"entry {entry.accession} (line {entry.line}) has no closing '//'",
                record=f"line {number}",
                remedy="The file may be damaged: delete it and rerun",
            )
        elif not line.startswith("#"):
            entry.blocks += not inside
            inside = True
            _add_row(entry, by_name, line, number)


def _add_row(entry: Alignment, by_name: dict[str, tuple[int, Row]], line: str, number: int) -> None:
    name, aligned = [*line.split(None, 1), ""][:2]
    aligned = aligned.rstrip()
    group, row = by_name.get(name, (entry.blocks, None))
    # The same name twice inside one group is a second row; in a later group it continues.
    if row is not None and group != entry.blocks:
        row.aligned += aligned
    else:
        row = Row(name, aligned, number)
        entry.rows.append(row)
    by_name[name] = entry.blocks, row
