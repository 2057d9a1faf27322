"""Reading a user's own families: Stockholm, labelled FASTA, or TSV, told apart by their content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.stockholm import read_stockholm
from pfamformer.sequences.text import read_lines

GAPS = str.maketrans("", "", ".-")
_FOREIGN = re.compile(f"[^{RESIDUES}]")
#: What a TSV may call its columns, unless ``sources.families.columns`` says otherwise.
COLUMNS = {
    "family": ("family_accession", "family"),
    "sequence": ("sequence",),
    "name": ("sequence_name", "name"),
    "protein": ("protein",),
    "start": ("start",),
    "end": ("end",),
}


@dataclass(slots=True)
class Row:
    """One labelled domain as the file has it.

    Attributes:
        line: of the file.
        name: of the row; empty where the file has none.
        aligned: residues in upper case, with ``.`` where the file has a gap.
    """

    line: int
    name: str
    aligned: str

    @property
    def sequence(self) -> str:
        """The residues."""
        return self.aligned.translate(GAPS)


@dataclass
class Family:
    """Rows of one label, and the ``#=GF`` features of a Stockholm entry."""

    accession: str
    features: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def is_aligned(self) -> bool:
        """Whether the file aligned it: any row has a gap."""
        return any("." in row.aligned for row in self.rows)


@dataclass
class Labelled:
    """A file's families in order of appearance, and the rows that are broken."""

    path: str
    families: dict[str, Family] = field(default_factory=dict)
    #: line, family, row name, reason: as in the ``rejects`` table
    rejects: list[tuple[int, str, str, str]] = field(default_factory=list)
    rows: int = 0

    def add(self, line: int, name: str, family: str, aligned: str) -> None:
        """Add a row, or reject it with its reasons."""
        self.rows += 1
        aligned = aligned.upper().replace("-", ".")
        sequence = aligned.translate(GAPS)
        foreign = _FOREIGN.search(sequence)
        reasons = []
        if not family or len(family.split()) != 1 or "/" in family or not family.isascii():
            reasons.append(f"bad family: {family!r} is not one word without '/'")
        if not sequence:
            reasons.append("too short: no residue")
        if foreign:
            reasons.append(
                f"bad characters: {foreign[0]!r} at residue {foreign.start() + 1} "
                "is not an amino acid"
            )
        if reasons:
            self.reject(line, family, name, "; ".join(reasons))
            return
        held = self.families.setdefault(family, Family(family))
        held.rows.append(Row(line, name, aligned))

    def reject(self, line: int, family: str, name: str, reason: str) -> None:
        """Leave a row out."""
        self.rejects.append((line, family, name, reason))


def read_labelled(
    path: str | Path,
    proteins: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Labelled:
    """Read the families of a file, plain or compressed.

    - Stockholm: one entry per family; its ``AC``, else its ``ID``, is the label.
    - FASTA: the header is ``>NAME FAMILY …``.
    - TSV with a header line: a family, and either a sequence or a protein, a start and an end
      (1-based, inclusive); other columns are ignored.

    Args:
        proteins: accession to sequence: where a TSV of coordinates finds its residues.
        columns: names of TSV columns that differ from :data:`COLUMNS`.

    Raises:
        InputError: a file of none of these forms, a damaged file, or one without a family.
    """
    lines = read_lines(path)
    first = next((line for line in lines if line[1].strip()), None)
    if first is None:
        raise InputError(path, "the file is empty", record="line 1")
    found = Labelled(str(path))
    if first[1].startswith("# STOCKHOLM"):
        lines.close()
        _from_stockholm(found)
    elif first[1].startswith(">"):
        _from_fasta(found, chain([first], lines))
    else:
        _from_tsv(found, first, lines, proteins, columns or {})
    if not found.families:
        why = f"; the first: {found.rejects[0][3]}" if found.rejects else ""
        line = found.rejects[0][0] if found.rejects else first[0]
        raise InputError(path, f"no usable row{why}", record=f"line {line}")
    return found


def _from_stockholm(found: Labelled) -> None:
    for entry in read_stockholm(found.path):
        label = entry.accession.split()[0]
        if label in found.families:
            raise InputError(
                found.path,
                f"a family {label} came before",
                record=f"line {entry.line}",
                remedy="Join the two entries, or rename one",
            )
        for row in entry.rows:
            accession = entry.accessions.get(row.name)
            place = row.name.rpartition("/")[2]
            found.add(
                row.line, f"{accession}/{place}" if accession else row.name, label, row.aligned
            )
        if label in found.families:
            found.families[label].features = entry.features


def _from_fasta(found: Labelled, lines: Iterable[tuple[int, str]]) -> None:
    start, header, pieces = 0, "", []
    # A last header closes the record before it.
    for number, line in chain(lines, [(0, ">")]):
        if not line.startswith(">"):
            pieces.append(line.strip())
            continue
        if start:
            name, family = [*header.split(None, 2), "", ""][:2]
            found.add(start, name, family, "".join(pieces))
        start, header, pieces = number, line[1:], []


def _from_tsv(
    found: Labelled,
    first: tuple[int, str],
    lines: Iterator[tuple[int, str]],
    proteins: Mapping[str, str] | None,
    columns: Mapping[str, str],
) -> None:
    header = [name.strip() for name in first[1].split("\t")]
    place = _columns(found.path, first[0], header, columns)
    for number, line in lines:
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header):
            found.rows += 1
            found.reject(number, "", "", f"columns: {len(cells)}, the header has {len(header)}")
            continue
        row = {key: cells[index].strip() for key, index in place.items()}
        if "sequence" in row:
            found.add(number, row.get("name", ""), row["family"], row["sequence"])
        else:
            _add_coordinates(found, number, row, proteins or {})


def _columns(path: str, line: int, header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    place = {}
    for key, usual in COLUMNS.items():
        names = (columns[key],) if key in columns else usual
        index = next((header.index(name) for name in names if name in header), None)
        if index is None and key in columns:
            raise InputError(
                path,
                f"no column {columns[key]!r}, only {', '.join(header)[:200]}",
                record=f"line {line}",
                remedy="Mend sources.families.columns",
            )
        if index is not None:
            place[key] = index
    if "family" not in place or not (
        "sequence" in place or {"protein", "start", "end"} <= set(place)
    ):
        raise InputError(
            path,
            "neither Stockholm nor FASTA, and no TSV whose header has a family and a sequence, "
            f"or a family, protein, start and end (got {', '.join(header)[:200]!r})",
            record=f"line {line}",
            remedy="Name your columns in sources.families.columns",
        )
    return place


def _add_coordinates(
    found: Labelled, number: int, row: Mapping[str, str], proteins: Mapping[str, str]
) -> None:
    name, bounds = row["protein"], (row["start"], row["end"])
    place = f"{name}/{bounds[0]}-{bounds[1]}"
    sequence = proteins.get(name)
    reason = None
    if sequence is None:
        reason = f"unknown protein: {name!r} is not in the file of proteins"
    elif not all(bound.isascii() and bound.isdigit() for bound in bounds):
        reason = "coordinates: not two whole numbers"
    elif not 1 <= int(bounds[0]) <= int(bounds[1]) <= len(sequence):
        reason = f"coordinates: not within its protein of {len(sequence)} residues"
    if reason:
        found.rows += 1
        found.reject(number, row["family"], place, reason)
        return
    start, end = map(int, bounds)
    found.add(number, f"{name}/{start}-{end}", row["family"], sequence[start - 1 : end])


def read_proteins(path: str | Path) -> dict[str, str]:
    """Full-length proteins by the first word of their header, in upper case.

    Raises:
        InputError: a protein without a name, or one that occurs twice.
    """
    proteins: dict[str, str] = {}
    for number, (header, sequence) in enumerate(read_fasta(path), 1):
        name = header.split(None, 1)[0] if header.split() else ""
        if not name or name in proteins:
            raise InputError(
                path,
                f"protein {name} occurs a second time" if name else "a protein without a name",
                record=f"line {_header_line(path, number)}",
                remedy="Give each protein one record with a name of its own",
            )
        proteins[name] = sequence.upper()
    return proteins


def _header_line(path: str | Path, record: int) -> int:
    """The line of a FASTA file where its n-th record starts; only looked up for a message."""
    headers = (number for number, line in read_lines(path) if line.startswith(">"))
    return next(islice(headers, record - 1, None))
