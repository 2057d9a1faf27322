"""A streaming reader for multi-entry Stockholm files such as ``Pfam-A.seed.gz``.

One entry is held at a time, so memory follows the largest family and not the file.
Format: https://en.wikipedia.org/wiki/Stockholm_format and the Pfam user manual.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xopen import xopen

from pfamformer.errors import InputError
from pfamformer.sequences.fasta import damaged


@dataclass(slots=True)
class Row:
    """One aligned row: its name, its aligned text and the line of the file it starts on."""

    name: str
    aligned: str
    line: int


@dataclass(slots=True)
class Alignment:
    """One entry: ``#=GF`` features (first value of each key), rows in file order."""

    line: int
    features: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def accession(self) -> str:
        """Family accession with version (``PF00042.27``), or the name where there is none."""
        return self.features.get("AC") or self.features.get("ID") or f"entry at line {self.line}"

    @property
    def width(self) -> int:
        """Number of alignment columns: that of most rows."""
        lengths = [len(row.aligned) for row in self.rows]
        return max(set(lengths), key=lengths.count) if lengths else 0


def read_stockholm(path: str | Path) -> Iterator[Alignment]:
    """Yield the entries of a Stockholm file, plain or gzipped.

    Interleaved blocks are joined. Rows are not judged here: see
    :func:`pfamformer.families.domains.domains_of`.

    Raises:
        InputError: missing, truncated or damaged file; text outside an entry; an entry without
            its closing ``//``.
    """
    entry: Alignment | None = None
    by_name: dict[str, Row] = {}
    block: set[str] = set()
    number = 0
    try:
        with xopen(path, "rt", threads=0, encoding="latin-1") as lines:
            for number, line in enumerate(lines, 1):
                line = line.rstrip("\r\n")
                if line.startswith("# STOCKHOLM"):
                    if entry is not None:
                        raise _unclosed(path, entry, number)
                    entry, by_name, block = Alignment(number), {}, set()
                elif not line or line.isspace():
                    block = set()
                elif entry is None:
                    raise InputError(
                        path,
                        "text outside an entry: '# STOCKHOLM 1.0' was expected",
                        record=f"line {number}",
                        remedy="Is this a Stockholm file?",
                    )
                elif line.startswith("//"):
                    yield entry
                    entry = None
                elif line.startswith("#=GF"):
                    _, key, value = [*line.split(None, 2), "", ""][:3]
                    entry.features.setdefault(key, value)
                elif not line.startswith("#"):
                    _add_row(entry, by_name, block, line, number)
    except FileNotFoundError as error:
        raise InputError(path, "no such file") from error
    except (EOFError, zlib.error, OSError) as error:
        raise damaged(path, f"after line {number}", error) from error
    if entry is not None:
        raise _unclosed(path, entry, number)


def _add_row(
    entry: Alignment, by_name: dict[str, Row], block: set[str], line: str, number: int
) -> None:
    name, _, aligned = line.partition(" ")
    aligned = aligned.strip()
    # The same name twice inside one block is a second row; in a later block it continues.
    if name in by_name and name not in block:
        by_name[name].aligned += aligned
    else:
        row = Row(name, aligned, number)
        entry.rows.append(row)
        by_name.setdefault(name, row)
    block.add(name)


def _unclosed(path: str | Path, entry: Alignment, number: int) -> InputError:
    return InputError(
        path,
        f"entry {entry.accession} (line {entry.line}) has no closing '//'",
        record=f"line {number}",
        remedy="The file may be truncated: delete it and rerun",
    )
