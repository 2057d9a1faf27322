"""Annotations of proteins with GO terms: GAF files, evidence, dates, negations.

Format: GAF 2.0 to 2.2 (https://geneontology.org/docs/go-annotation-file-gaf-format-2.2). A row that
breaks it is rejected with file, line and reason; a row that says nothing usable (other evidence, a
term that is not in use any more) is counted under its reason. Rows in = kept + rejected + counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.ontology import Ontology

ASPECTS = {"F": "mfo", "P": "bpo", "C": "cco"}
#: Codes that CAFA counts as experimental (Zhou et al., Genome Biology 20:244, 2019).
EXPERIMENTAL = ("EXP", "IDA", "IPI", "IMP", "IGI", "IEP", "TAS", "IC")
#: All codes in use: https://geneontology.org/docs/guide-go-evidence-codes
EVIDENCE = frozenset([
    "EXP", "IDA", "IPI", "IMP", "IGI", "IEP", "HTP", "HDA", "HMP", "HGI", "HEP", "IBA", "IBD",
    "IKR", "IRD", "ISS", "ISO", "ISA", "ISM", "IGC", "RCA", "TAS", "NAS", "IC", "ND", "IEA",
])  # fmt: skip
_ACCESSION = re.compile(r"[A-Za-z0-9_.:-]+")
_DATE = re.compile(r"\d{8}")
# Columns 16 and 17 came with GAF 2.0; writers leave empty ones out.
_COLUMNS = range(15, 18)


@dataclass(frozen=True)
class Annotations:
    """What a GAF file says, with the evidence that was asked for.

    Args:
        rows: ``protein`` (accession without version), ``term`` (in use), ``ontology``, ``date``
            (``YYYYMMDD`` as a number), ``negative`` (qualifier NOT), distinct, earliest date first.
        rejects: ``file``, ``line``, ``reason``.
        counts: rows of the file by what became of them.
    """

    rows: pd.DataFrame
    rejects: pd.DataFrame
    counts: dict[str, int]


def read_gaf(
    path: str | Path,
    ontology: Ontology,
    *,
    evidence: Collection[str] = EXPERIMENTAL,
    proteins: Collection[str] | None = None,
    max_reject_share: float = 0.001,
) -> Annotations:
    """Read the annotations with this evidence.

    Args:
        evidence: codes that count.
        proteins: accessions without version; None takes all.
        max_reject_share: share of broken rows above which the file is refused.

    Raises:
        InputError: missing or damaged file, no GAF, or too many broken rows.
    """
    counts: Counter[str] = Counter()
    kept, rejects = [], []
    number = 0
    for number, line in read_lines(path, "utf-8"):
        if line.startswith("!") or not line:
            continue
        counts["rows"] += 1
        cells = line.split("\t")
        reason = _broken(cells)
        if reason:
            rejects.append((str(path), number, reason))
            continue
        reason = _unusable(cells, ontology, evidence, proteins)
        counts[reason or "kept"] += 1
        if not reason:
            kept.append(_row(cells, ontology))
    counts["rejected"] = len(rejects)
    _judge(path, number, counts, rejects, max_reject_share)
    rows = pd.DataFrame(kept, columns=["protein", "term", "ontology", "date", "negative"])
    rows = rows.sort_values(["date", "protein", "term"], kind="stable", ignore_index=True)
    # The same fact from several papers, or in several releases: its first date counts.
    rows = rows.drop_duplicates(["protein", "term", "negative"], ignore_index=True)
    log.info("%s: %s", Path(path).name, dict(counts))
    return Annotations(
        rows, pd.DataFrame(rejects, columns=["file", "line", "reason"]), dict(counts)
    )


def _broken(cells: list[str]) -> str:
    """Why this row is no GAF; empty where it is."""
    if len(cells) not in _COLUMNS:
        return f"{len(cells)} columns, 15 to 17 were expected"
    if not _ACCESSION.fullmatch(cells[1]):
        return f"accession {cells[1][:30]!r}"
    if cells[6] not in EVIDENCE:
        return f"unknown evidence code {cells[6][:30]!r}"
    if cells[8] not in ASPECTS:
        return f"unknown aspect {cells[8][:30]!r}"
    return "" if _is_date(cells[13]) else f"date {cells[13][:30]!r}"


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _unusable(
    cells: list[str],
    ontology: Ontology,
    evidence: Collection[str],
    proteins: Collection[str] | None,
) -> str:
    """Why this row is not kept; empty where it is."""
    if cells[6] not in evidence:
        return "other evidence"
    if proteins is not None and cells[1] not in proteins:
        return "other proteins"
    term = ontology.resolve(cells[4])
    if term is None:
        return "obsolete terms" if cells[4] in ontology.obsolete else "unknown terms"
    if ontology.terms[term].ontology != ASPECTS[cells[8]]:
        return "terms of another aspect"
    return ""


def _row(cells: list[str], ontology: Ontology) -> tuple[str, str, str, int, bool]:
    # GAF joins qualifiers by '|': NOT, or NOT|contributes_to.
    negative = "NOT" in cells[3].split("|")
    term = ontology.resolve(cells[4])
    return cells[1], term, ASPECTS[cells[8]], int(cells[13]), negative


def _judge(path: str | Path, lines: int, counts: Counter[str], rejects: list, most: float) -> None:
    if not counts["rows"]:
        raise InputError(
            path, "holds no annotation", record=f"after line {lines}", remedy="Is this a GAF file?"
        )
    if len(rejects) > most * counts["rows"]:
        _, line, reason = rejects[0]
        raise InputError(
            path,
            f"{len(rejects)} of {counts['rows']} rows are broken, the first: {reason}",
            record=f"line {line}",
            remedy="Repair the file, or allow more with tasks.go.max_reject_share",
        )
