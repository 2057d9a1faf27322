"""Seed alignments, streamed into the domain and family tables (data set D1).

Families are read whole by compiled code. A family in which anything at all is unusual is read
again row by row by :mod:`pfamformer.families.domains`, which alone judges what is
broken and why; so the two readings cannot disagree about what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.families.domains import NO_PLACE, Domain, domains_of, judge
from pfamformer.families.seed_rows import ROW_GROUP, Rows
from pfamformer.sequences.stockholm import Alignment, Block, Piece, add_block, read_pieces
from pfamformer.sequences.words import line_ends
from pfamformer.tables import SCHEMAS, TableWriter

# Features that the families table holds.
_FEATURE = re.compile(rb"\n#=GF[^\S\n]+(ID|AC|DE|GA|CL)[^\S\n]+(\S[^\n]*)")


@dataclass(frozen=True)
class Limits:
    """What a row must keep to.

    Attributes:
        minimum: shortest domain, residues.
        max_ambiguous: largest share of residues that are not one of the twenty.
        max_reject_share: largest share of rows that may be broken.
    """

    minimum: int
    max_ambiguous: float
    max_reject_share: float


@dataclass
class Seed:
    """What one pass over a seed file brings, beside the domain table that it writes.

    Attributes:
        families, rejects: tables.
        rows: rows read; each is in the domain table or among the rejects.
        domains: rows kept.
    """

    families: pd.DataFrame
    rejects: pd.DataFrame
    rows: int
    domains: int


def parse_seed(
    path: str | Path,
    domains: str | Path,
    limits: Limits,
    clans: Mapping[str, str] | None = None,
) -> Seed:
    """Read a Stockholm seed file; write the domain table; return the families and the rejects.

    Args:
        domains: where the domain table is written; nothing is written when this raises.
        clans: family accession without version to clan, in the place of ``#=GF CL`` lines.

    Raises:
        InputError: damaged file, no family, an empty family, a family that occurs twice, too many
            broken rows.
    """
    reader = _Reader(path, limits, clans or {})
    with TableWriter("domains", domains) as writer:
        for piece in read_pieces(path, line_ends):
            if reader.waiting.count >= ROW_GROUP or not reader.waiting.has_room(piece.text):
                writer.write(reader.take())
            reader.read(piece)
        writer.write(reader.take())
        if not reader.families:
            raise InputError(
                path,
                "no family in this file",
                record="line 1",
                remedy="Is it a Stockholm seed file?",
            )
        judge(path, reader.rejects, reader.rows, limits.max_reject_share)
        writer.close()
        rejects = _name_copies(reader.rejects, writer.temporary)
    log.info(
        "%d families, %d domains, %d rows rejected",
        len(reader.families), reader.kept, len(rejects),
    )  # fmt: skip
    return Seed(
        pd.DataFrame(
            reader.families,
            columns=["family", "name", "description", "clan", "gathering", "domains"],
        ),
        pd.DataFrame(
            [(str(path), *row[:4]) for row in rejects],
            columns=["file", "line", "family", "row", "reason"],
        ),
        reader.rows,
        reader.kept,
    )


class _Reader:
    """Blocks in, columns out; remembers the family that is being read."""

    def __init__(self, path: str | Path, limits: Limits, clans: Mapping[str, str]) -> None:
        self.path, self.limits, self.clans = path, limits, clans
        self.families: list[tuple] = []
        #: line, family, row name, reason, residues
        self.rejects: list[tuple[int, str, str, str, str]] = []
        self.rows = self.kept = 0
        self.waiting = Rows()
        self._names: set[str] = set()
        self._labels: list[tuple[str, str, int]] = []
        self._entry = Alignment(0)
        self._width: int | None = None
        self._seen: set[tuple[str, int, int]] = set()
        self._before = 0, 0

    def read(self, piece: Piece) -> None:
        """Read the blocks of a piece; there must be room for it in ``waiting``."""
        blocks, entries, first = piece.blocks, piece.entries(), 0
        while first < len(blocks):
            read = read_at_once(self.waiting, piece.text, entries[first:], self.limits)
            for added, behind in read:
                block = blocks[first]
                self._open(block)
                for key, value in _FEATURE.findall(block.text, 0, behind):
                    self._entry.features.setdefault(key.decode(), value.decode("latin-1").rstrip())
                self.rows += added
                self._add(block, added)
                first += 1
            if first < len(blocks):
                block, before = blocks[first], self.waiting.count
                if block.opens:
                    self._open(block)
                self.waiting.add_domains(self._read_row_by_row(block))
                self._add(block, self.waiting.count - before)
                first += 1

    def _open(self, block: Block) -> None:
        self._entry, self._width, self._seen = Alignment(block.line), None, set()
        self._before = self.rows, self.kept

    def _add(self, block: Block, added: int) -> None:
        """Count the rows that a block added."""
        self.kept += added
        family = self._entry.accession
        clan = self.clans.get(family.partition(".")[0], self._entry.features.get("CL", ""))
        self._labels.append((family, clan, added))
        if block.closes:
            self._close(family, clan)

    def _read_row_by_row(self, block: Block) -> Iterator[Domain]:
        entry, limits = self._entry, self.limits
        entry.rows, entry.blocks = [], 0
        entry.features = {} if block.opens else entry.features
        add_block(self.path, entry, block, {})
        if not (block.opens and block.closes) and entry.blocks > 1:
            raise InputError(
                self.path,
                "an interleaved alignment of this size is not read",
                record=f"family {entry.accession} at line {entry.line}",
                remedy="Write each row on one line, as 'esl-reformat pfam' does",
            )
        if self._width is None and entry.rows:
            self._width = entry.width
        for row, domain, reason in domains_of(
            entry, limits.minimum, limits.max_ambiguous, self._width, self._seen
        ):
            self.rows += 1
            if domain is None:
                self.rejects.append((row.line, entry.accession, row.name, reason, row.aligned))
            else:
                yield domain

    def _close(self, family: str, clan: str) -> None:
        rows, kept = self.rows - self._before[0], self.kept - self._before[1]
        problem = (
            "the family is empty" if not rows
            else "the family has no usable row" if not kept
            else "a family of this accession came before" if family in self._names
            else None
        )  # fmt: skip
        if problem:
            last = self.rejects[-1][3] if self.rejects and rows else ""
            raise InputError(
                self.path,
                problem + (f"; its last row: {last}" if rows and not kept else ""),
                record=f"family {family} at line {self._entry.line}",
                remedy="Remove the entry, or repair its rows",
            )
        self._names.add(family)
        features = self._entry.features
        self.families.append(
            (family, features.get("ID", family), features.get("DE", ""), clan,
             features.get("GA", "").rstrip(";"), kept)
        )  # fmt: skip
        if len(self.families) % 1000 == 0:
            log.info("%d families, %d domains", len(self.families), self.kept)

    def take(self) -> pa.Table:
        """The rows that wait to be written; to be used before the next are read."""
        labels, self._labels = self._labels, []
        return _table(labels, self.waiting.take([(family, rows) for family, _, rows in labels]))


def _table(labels: Sequence[tuple[str, str, int]], rows: Mapping[str, pa.Array]) -> pa.Table:
    """Rows of the domain table.

    Args:
        labels: family, clan and number of rows, in the order of the rows.
        rows: what :meth:`Rows.take` gave.
    """
    families, clans, counts = zip(*labels, strict=True) if labels else ((), (), ())
    columns = {
        "family": _repeated(families, counts),
        "clan": _repeated(clans, counts),
        **rows,
    }
    return pa.table({name: columns[name] for name in SCHEMAS["domains"].names})


def _repeated(values: Sequence[str], counts: Sequence[int]) -> pa.DictionaryArray:
    """Each value as often as its count says."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    rows = np.repeat(np.array([places[value] for value in values], np.int32), counts)
    return pa.DictionaryArray.from_arrays(rows, pa.array(list(places), pa.string()))


def read_at_once(
    waiting: Rows, text: memoryview, entries: np.ndarray, limits: Limits
) -> list[list[int]]:
    """Add all rows of whole entries in Pfam's layout, up to the first that leaves a doubt.

    Args:
        waiting: receives the rows.
        text, entries: a piece of a file, and where entries begin and end in it.

    Returns:
        Of each entry added: rows, and the bytes up to the end of its ``#=GF`` lines.
    """
    return waiting.add_entries(text, entries, limits.minimum, limits.max_ambiguous).tolist()


def _name_copies(
    rejects: list[tuple[int, str, str, str, str]], domains: Path
) -> list[tuple[int, str, str, str, str]]:
    """Say of rejected rows without a place which kept row has the same residues, if any has."""
    gaps = str.maketrans("", "", ".-")
    wanted = {r[4].translate(gaps).upper() for r in rejects if r[3].endswith(NO_PLACE)}
    if not wanted:
        return rejects
    values, found = pa.array(sorted(wanted)), {}
    for batch in pq.ParquetFile(domains).iter_batches(columns=["id", "sequence"]):
        hit = batch.filter(pc.is_in(batch["sequence"], value_set=values))
        for domain, sequence in zip(*(c.to_pylist() for c in hit.columns), strict=True):
            found.setdefault(sequence, domain)
    named = []
    for row in rejects:
        twin = found.get(row[4].translate(gaps).upper()) if row[3].endswith(NO_PLACE) else None
        reason = f"duplicate: the residues of {twin}; {row[3]}" if twin else row[3]
        named.append((*row[:3], reason, row[4]))
    return named
