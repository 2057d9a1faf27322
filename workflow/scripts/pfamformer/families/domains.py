"""What a seed row says: its protein, its place, its residues, or why it is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import RESIDUES, STANDARD
from pfamformer.sequences.stockholm import Alignment, Row

_PLACE = re.compile(r"(?P<protein>\S+)/(?P<start>[1-9]\d*)-(?P<end>[1-9]\d*)", re.ASCII)
_VERSIONED = re.compile(r"\S*[^\s.]\.\d+", re.ASCII)
_GAPS = str.maketrans("", "", ".-")
_FOREIGN = re.compile(f"[^{RESIDUES}]")
_STANDARD = str.maketrans("", "", STANDARD)
# The reason of rows whose name tells no place: they may be copies of rows that have one.
NO_PLACE = "coordinates: the name is not NAME/start-end"


@dataclass(frozen=True)
class Domain:
    """One seed row: where it lies on its protein (1-based, inclusive) and its residues."""

    protein: str
    start: int
    end: int
    sequence: str
    aligned: str


class RejectedRowError(ValueError):
    """A seed row that is left out, with every reason for it."""


def domain_of(
    row: Row, accessions: dict[str, str], width: int, minimum: int, max_ambiguous: float = 1.0
) -> Domain:
    """The domain that a seed row describes.

    Args:
        accessions: row name to ``accession.version``, as the entry's ``#=GS … AC`` lines say; a row
            without such a line carries both in its name.
        width: columns of the alignment.
        minimum: shortest domain kept, in residues.
        max_ambiguous: largest share of residues that are not one of the twenty, 0…1.

    Raises:
        RejectedRowError: the row is broken; the message gives the reasons.
    """
    reasons = []
    if len(row.aligned) != width:
        reasons.append(f"columns: {len(row.aligned)}, its alignment has {width}")
    sequence = row.aligned.translate(_GAPS).upper()
    foreign = _FOREIGN.search(sequence)
    ambiguous = len(sequence.translate(_STANDARD))
    if foreign:
        reasons.append(
            f"bad characters: {foreign[0]!r} at residue {foreign.start() + 1} is not an amino acid"
        )
    elif ambiguous > max_ambiguous * len(sequence):
        reasons.append(f"bad characters: {ambiguous} of {len(sequence)} residues are ambiguous")
    if len(sequence) < minimum:
        reasons.append(f"too short: {len(sequence)} residues, fewer than {minimum}")
    place = _PLACE.fullmatch(row.name)
    if place is None:
        raise RejectedRowError("; ".join([*reasons, NO_PLACE]))
    start, end = int(place["start"]), int(place["end"])
    if end - start + 1 != len(sequence):
        reasons.append(f"coordinates: they span {end - start + 1}, not {len(sequence)} residues")
    protein = accessions.get(row.name, place["protein"])
    if not _VERSIONED.fullmatch(protein):
        reasons.append(f"unknown version: {protein} is not ACCESSION.version")
    if reasons:
        raise RejectedRowError("; ".join(reasons))
    return Domain(protein, start, end, sequence, row.aligned)


def domains_of(
    entry: Alignment,
    minimum: int,
    max_ambiguous: float = 1.0,
    width: int | None = None,
    seen: set[tuple[str, int, int]] | None = None,
) -> Iterator[tuple[Row, Domain | None, str]]:
    """Each row of an entry with its domain, or with ``None`` and the reason for leaving it out.

    Args:
        width: columns of the alignment where the entry is only a part of it.
        seen: places of rows that came before in the same family; updated.
    """
    width = entry.width if width is None else width
    seen = set() if seen is None else seen
    for row in entry.rows:
        try:
            domain = domain_of(row, entry.accessions, width, minimum, max_ambiguous)
            place = domain.protein, domain.start, domain.end
            if place in seen:
                raise RejectedRowError("duplicate: a row of this place came before in its family")
        except RejectedRowError as reason:
            yield row, None, str(reason)
        else:
            seen.add(place)
            yield row, domain, ""


def domain_id(family: str, protein: str, start: int, end: int) -> str:
    """The identifier of a domain in every table: ``PF00042.27/P02023.2/8-112``."""
    return f"{family}/{protein}/{start}-{end}"


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
