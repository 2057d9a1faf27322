"""From seed alignments to the domain, family and protein tables (data sets D1 and D2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.stockholm import Alignment, Row, read_stockholm

_NAME = re.compile(r"^(?P<protein>\S+\.\d+)/(?P<start>\d+)-(?P<end>\d+)$")
_GAPS = str.maketrans("", "", ".-")
_FOREIGN = re.compile(f"[^{RESIDUES}]")


@dataclass(frozen=True)
class Domain:
    """One seed row: where it lies on its protein (1-based, inclusive) and its residues."""

    protein: str
    start: int
    end: int
    sequence: str
    aligned: str


@dataclass
class Seed:
    """What one pass over a seed file brings: three tables and the number of rows read."""

    domains: pd.DataFrame
    families: pd.DataFrame
    rejects: pd.DataFrame
    rows: int = field(default=0)


class RejectedRowError(ValueError):
    """A seed row that is left out, with the reason."""


def domain_of(row: Row, width: int, minimum: int) -> Domain:
    """The domain that a seed row describes.

    Args:
        width: columns of the alignment.
        minimum: shortest domain kept, in residues.

    Raises:
        RejectedRowError: the row is broken; the message is the reason.
    """
    if len(row.aligned) != width:
        raise RejectedRowError(f"{len(row.aligned)} columns, its alignment has {width}")
    sequence = row.aligned.translate(_GAPS).upper()
    foreign = _FOREIGN.search(sequence)
    if foreign:
        raise RejectedRowError(
            f"{foreign[0]!r} at residue {foreign.start() + 1} is not an amino acid"
        )
    name = _NAME.match(row.name)
    if name is None:
        raise RejectedRowError("the name is not ACCESSION.version/start-end")
    start, end = int(name["start"]), int(name["end"])
    if end - start + 1 != len(sequence):
        raise RejectedRowError(f"{len(sequence)} residues, its coordinates span {end - start + 1}")
    if len(sequence) < minimum:
        raise RejectedRowError(f"{len(sequence)} residues, fewer than {minimum}")
    return Domain(name["protein"], start, end, sequence, row.aligned)


def domains_of(entry: Alignment, minimum: int) -> Iterator[tuple[Row, Domain | None, str]]:
    """Each row of an entry with its domain, or with ``None`` and the reason for leaving it out."""
    width, seen = entry.width, set()
    for row in entry.rows:
        try:
            domain = domain_of(row, width, minimum)
            if row.name in seen:
                raise RejectedRowError("a row of this name came before")
        except RejectedRowError as reason:
            yield row, None, str(reason)
        else:
            seen.add(row.name)
            yield row, domain, ""


def domain_id(family: str, protein: str, start: int, end: int) -> str:
    """The identifier of a domain in every table: ``PF00042.27/P02023.2/8-112``."""
    return f"{family}/{protein}/{start}-{end}"


def parse_seed(path: str | Path, *, minimum: int, max_reject_share: float) -> Seed:
    """Read a Stockholm seed file into tables.

    Args:
        minimum: shortest domain kept, in residues.
        max_reject_share: largest tolerated share of broken rows, 0…1.

    Raises:
        InputError: damaged file, no family, an empty family, too many broken rows.
    """
    domains: list[tuple] = []
    families: list[tuple] = []
    rejects: list[tuple] = []
    rows = 0
    for entry in read_stockholm(path):
        family, clan = entry.accession, entry.features.get("CL", "")
        before = len(domains)
        for row, domain, reason in domains_of(entry, minimum):
            rows += 1
            if domain is None:
                rejects.append((str(path), row.line, family, row.name, reason))
                continue
            place = domain.protein, domain.start, domain.end
            domains.append((domain_id(family, *place), *place, family, clan, domain.sequence))
        if len(domains) == before:
            raise InputError(
                path,
                "the family has no usable row" if entry.rows else "the family is empty",
                record=f"family {family} at line {entry.line}",
                remedy="Remove the entry, or repair its rows",
            )
        features = entry.features
        families.append(
            (family, features.get("ID", family), features.get("DE", ""), clan,
             features.get("GA", "").rstrip(";"), len(domains) - before)
        )  # fmt: skip
        if len(families) % 1000 == 0:
            log.info("%d families, %d domains", len(families), len(domains))
    if not families:
        raise InputError(path, "no family in this file", remedy="Is it a Stockholm seed file?")
    _judge(path, rejects, rows, max_reject_share)
    log.info("%d families, %d domains, %d rows rejected", len(families), len(domains), len(rejects))
    return Seed(
        pd.DataFrame(
            domains, columns=["id", "protein", "start", "end", "family", "clan", "sequence"]
        ),
        pd.DataFrame(
            families, columns=["family", "name", "description", "clan", "gathering", "domains"]
        ),
        pd.DataFrame(rejects, columns=["file", "line", "family", "row", "reason"]),
        rows,
    )


def _judge(path: str | Path, rejects: list[tuple], rows: int, most: float) -> None:
    if len(rejects) > most * rows:
        _, line, family, name, reason = rejects[0]
        raise InputError(
            path,
            f"{len(rejects)} of {rows} rows are broken, more than the share "
            f"domains.max_reject_share = {most:g} allows; the first: {reason}",
            record=f"line {line}, family {family}, row {name}",
            remedy="Repair the file, or raise the share to leave such rows out",
        )


def full_length(domains: pd.DataFrame, pfamseq: str | Path) -> pd.DataFrame:
    """The ``proteins`` table: the full-length sequence of every protein with a domain.

    ``pfamseq`` is streamed once. Each domain is checked against its protein.

    Raises:
        InputError: a protein is missing, or a domain's residues are not those of its protein.
    """
    wanted = set(domains["protein"])
    found: dict[str, str] = {}
    for header, sequence in read_fasta(pfamseq):
        accession = header.split(None, 1)[0]
        if accession in wanted:
            found[accession] = sequence.upper()
    missing = sorted(wanted - set(found))
    if missing:
        raise InputError(
            pfamseq,
            f"{len(missing)} of {len(wanted)} proteins of the seed are not in it",
            record=f"protein {missing[0]}",
            remedy="Use the pfamseq.gz of the same Pfam release as the seed",
        )
    _check_domains(domains.itertuples(), found, pfamseq)
    return pd.DataFrame(sorted(found.items()), columns=["protein", "sequence"])


def _check_domains(domains: Iterable, proteins: dict[str, str], pfamseq: str | Path) -> None:
    for domain in domains:
        if proteins[domain.protein][domain.start - 1 : domain.end] != domain.sequence:
            raise InputError(
                pfamseq,
                "the domain's residues differ from its protein at these coordinates",
                record=f"domain {domain.id}",
                remedy="Use the pfamseq.gz of the same Pfam release as the seed",
            )
