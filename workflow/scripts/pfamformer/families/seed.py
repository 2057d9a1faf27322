"""Seed alignments, streamed into the domain and family tables (data set D1).

Families are read whole, with operations on all rows at once. A family in which anything at all is
unusual is read again row by row by :mod:`pfamformer.families.domains`, which alone judges what is
broken and why; so the two readings cannot disagree about what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.families.domains import NO_PLACE, Domain, domains_of
from pfamformer.sequences.alphabet import RESIDUES, STANDARD
from pfamformer.sequences.stockholm import Alignment, Block, add_block, read_blocks
from pfamformer.tables import TableWriter

# Rows of a Parquet row group: about 10 MB of sequences in memory.
ROW_GROUP = 50_000
_AMBIGUOUS = [letter.encode() for letter in sorted(set(RESIDUES) - set(STANDARD))]
# Residues to upper case, anything foreign to '*'.
_RESIDUES = bytearray(b"*" * 256)
for _letter in RESIDUES:
    _RESIDUES[ord(_letter)] = _RESIDUES[ord(_letter.lower())] = ord(_letter)
_RESIDUES[ord("\n")] = ord("\n")
_RESIDUES = bytes(_RESIDUES)
_HEAD = re.compile(rb"# STOCKHOLM[^\n]*\n((?:#=GF [^\n]*\n)*)((?:#=GS [^\n]*\n)*)")
# What follows the '#' of residue and column markup.
_TAGS = np.frombuffer(b"=GR =GC ", np.uint32)
# Features that the families table holds.
_FEATURE = re.compile(r"^#=GF[ \t]+(ID|AC|DE|GA|CL)[ \t]+(.*)$", re.MULTILINE)


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


@dataclass(frozen=True)
class Columns:
    """The rows of a family that are kept, column by column.

    Attributes:
        proteins: accession.version of each row.
        places: ``start-end`` of each row.
        starts, ends: the same as numbers, shape (rows,).
        residues: all sequences, one after the other.
    """

    proteins: Sequence[bytes]
    places: Sequence[bytes]
    starts: np.ndarray
    ends: np.ndarray
    residues: bytes

    def __len__(self) -> int:
        return len(self.proteins)


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
        for block in read_blocks(path):
            reader.read(block)
            if reader.waiting >= ROW_GROUP:
                writer.write(reader.take())
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
        self.rows = self.kept = self.waiting = 0
        self._names: set[str] = set()
        self._taken: list[tuple[str, str, Columns]] = []
        self._entry = Alignment(0)
        self._width: int | None = None
        self._seen: set[tuple[str, int, int]] = set()
        self._before = 0

    def read(self, block: Block) -> None:
        """Read one block."""
        if block.opens:
            self._entry, self._width, self._seen = Alignment(block.line), None, set()
            self._before = self.rows, self.kept
        columns = None
        if block.opens and block.closes:
            columns = read_at_once(block.text, self._entry.features, self.limits)
        if columns is None:
            columns = self._read_row_by_row(block)
        else:
            self.rows += len(columns)
        self.kept += len(columns)
        self.waiting += len(columns)
        family = self._entry.accession
        clan = self.clans.get(family.partition(".")[0], self._entry.features.get("CL", ""))
        self._taken.append((family, clan, columns))
        if block.closes:
            self._close(family, clan)

    def _read_row_by_row(self, block: Block) -> Columns:
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
        kept: list[Domain] = []
        for row, domain, reason in domains_of(
            entry, limits.minimum, limits.max_ambiguous, self._width, self._seen
        ):
            self.rows += 1
            if domain is None:
                self.rejects.append((row.line, entry.accession, row.name, reason, row.aligned))
            else:
                kept.append(domain)
        return Columns(
            [domain.protein.encode() for domain in kept],
            [b"%d-%d" % (domain.start, domain.end) for domain in kept],
            np.array([domain.start for domain in kept], dtype=np.int64),
            np.array([domain.end for domain in kept], dtype=np.int64),
            "".join(domain.sequence for domain in kept).encode(),
        )

    def _close(self, family: str, clan: str) -> None:
        rows, kept = (
            now - then for now, then in zip((self.rows, self.kept), self._before, strict=True)
        )
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
        """The rows that wait to be written."""
        taken, self._taken, self.waiting = self._taken, [], 0
        families, clans, columns = zip(*taken, strict=True) if taken else ((), (), ())
        sizes = [len(c) for c in columns]
        starts = np.concatenate([np.zeros(0, np.int64), *(c.starts for c in columns)])
        ends = np.concatenate([np.zeros(0, np.int64), *(c.ends for c in columns)])
        offsets = np.concatenate([[0], np.cumsum(ends - starts + 1)]).astype(np.int32)
        residues = b"".join(c.residues for c in columns)
        family = _repeated(families, sizes)
        protein = pa.array(list(chain.from_iterable(c.proteins for c in columns)), pa.string())
        place = pa.array(list(chain.from_iterable(c.places for c in columns)), pa.string())
        return pa.table(
            {
                "id": pc.binary_join_element_wise(family, protein, place, pa.scalar("/")),
                "protein": protein,
                "start": starts.astype(np.int32),
                "end": ends.astype(np.int32),
                "family": family,
                "clan": _repeated(clans, sizes),
                "sequence": pa.StringArray.from_buffers(
                    len(starts), pa.py_buffer(offsets), pa.py_buffer(residues)
                ),
            }
        )


def _repeated(values: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """Each value as often as its count says."""
    return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(counts)), counts)))


def read_at_once(text: bytes, features: dict[str, str], limits: Limits) -> Columns | None:
    """All rows of a whole entry in Pfam's layout; ``None`` when any of them needs a closer look.

    In that layout every line below the annotation has the same length, so that the alignment is a
    matrix of bytes and nothing is done row by row.

    Args:
        text: the entry, from ``# STOCKHOLM`` on.
        features: receives the ``#=GF`` lines.
    """
    head = _HEAD.match(text)
    width = text.find(b"\n", head.end()) + 1 - head.end()
    if width < 2 or (len(text) - head.end()) % width:
        return None
    for key, value in _FEATURE.findall(head[1].decode("latin-1")):
        features.setdefault(key, value.rstrip())
    lines = np.frombuffer(text, np.uint8, offset=head.end()).reshape(-1, width)
    rows = _aligned_rows(lines)
    if rows is None:
        return None
    column = rows[0].tobytes().rfind(b" ") + 1
    if not column or (rows[:, column - 1] != ord(" ")).any():
        return None
    # .copy() first: tobytes() of a slice goes byte by byte.
    named = rows[:, :column].copy().tobytes()
    residues = rows[:, column:].copy().tobytes().translate(_RESIDUES, b".-")
    names = named.split()
    if len(names) != len(rows) or not named.isascii() or b"*" in residues:
        return None
    if any(letter in residues for letter in _AMBIGUOUS) and not _few_ambiguous(residues, limits):
        return None
    return _placed(names, head[2], residues, limits)


def _aligned_rows(lines: np.ndarray) -> np.ndarray | None:
    """The rows among equally long lines, shape (rows, width); ``None`` if others are not markup."""
    if lines.shape[1] < 5 or (lines[:, -1] != ord("\n")).any():
        return None
    # Four bytes as one number: comparing numbers is several times faster than comparing text.
    tags = lines[:, 1:5].copy().view(np.uint32)[:, 0]
    hashes = lines[:, 0] == ord("#")
    rows = np.flatnonzero(~hashes)
    if not len(rows) or (hashes & (tags != _TAGS[0]) & (tags != _TAGS[1])).any():
        return None
    return lines.take(rows, axis=0) if len(rows) < len(lines) else lines


def _few_ambiguous(residues: bytes, limits: Limits) -> bool:
    standard = STANDARD.encode()
    return all(
        len(row.translate(None, standard)) <= limits.max_ambiguous * len(row)
        for row in residues.split(b"\n")
    )


def _placed(
    names: list[bytes], accessions: bytes, residues: bytes, limits: Limits
) -> Columns | None:
    """Proteins and coordinates of rows, from their names and the accession lines; or ``None``.

    Args:
        residues: the sequences, each with a line end.
    """
    split = b" ".join(names).replace(b"/", b" ").split()
    heads, places = split[::2], split[1::2]
    joined = b"-".join(places)
    # Digits and one hyphen each, no leading zeros: nothing is left to guess for a parser.
    if len(split) != 2 * len(names) or joined.translate(None, b"0123456789-"):
        return None
    if joined.startswith(b"0") or b"-0" in joined or b"--" in joined or joined.endswith(b"-"):
        return None
    # Coordinates of ten digits and more belong to no protein, and could overflow.
    if joined.count(b"-") != 2 * len(names) - 1 or max(map(len, places)) > 19:
        return None
    bounds = np.fromstring(joined, dtype=np.int64, sep="-")
    starts, ends = bounds[::2], bounds[1::2]
    lengths = ends - starts + 1
    if lengths.min() < max(1, limits.minimum) or len(residues) != lengths.sum() + len(names):
        return None
    line_ends = np.frombuffer(residues, np.uint8)[np.cumsum(lengths + 1) - 1]
    if (line_ends != ord("\n")).any() or residues.count(b"\n") != len(names):
        return None
    proteins = _proteins(names, heads, accessions)
    if proteins is None:
        return None
    if len(set(proteins)) < len(names) and len(set(zip(proteins, places, strict=True))) < len(
        names
    ):
        return None
    return Columns(proteins, places, starts, ends, residues.replace(b"\n", b""))


def _proteins(names: list[bytes], heads: list[bytes], accessions: bytes) -> list[bytes] | None:
    """``accession.version`` of each row; ``None`` if one is missing or not of that form."""
    proteins = heads
    if accessions:
        words = accessions.split()
        if words[2::4].count(b"AC") * 4 != len(words):
            # Other features of sequences, such as their structures, stand in between.
            lines = [line for line in accessions.split(b"\n") if b" AC " in line]
            words = b" ".join(lines).split()
            if words[2::4].count(b"AC") * 4 != len(words):
                return None
        if words[1::4] == names:
            proteins = words[3::4]
        else:
            known = dict(zip(words[1::4], words[3::4], strict=True))
            proteins = [known.get(*pair) for pair in zip(names, heads, strict=True)]
    joined = b".".join(proteins)
    parts = joined.split(b".")
    if len(parts) != 2 * len(names) or b"" in parts or not b"".join(parts[1::2]).isdigit():
        return None
    return proteins if joined.isascii() else None


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


def judge(path: str | Path, rejects: Sequence[tuple], rows: int, most: float) -> None:
    """Refuse a file with too large a share of broken rows.

    Args:
        rejects: line, family, row name, reason, anything else.
        most: largest share, 0…1.

    Raises:
        InputError: names the first of them.
    """
    if len(rejects) > most * rows:
        line, family, name, reason = rejects[0][:4]
        raise InputError(
            path,
            f"{len(rejects)} of {rows} rows are broken, more than the share "
            f"domains.max_reject_share = {most:g} allows; the first: {reason}",
            record=f"line {line}, family {family}, row {name}",
            remedy="Repair the file, or raise the share to leave such rows out",
        )
