"""Pfam's clans: families of common descent."""

from __future__ import annotations

from pathlib import Path

from pfamformer.errors import InputError
from pfamformer.sequences.text import read_lines


def read_clans(path: str | Path) -> dict[str, str]:
    """Family accession without version to clan, from ``Pfam-A.clans.tsv.gz``.

    The file has no header; its first two columns are the family and the clan, which is empty for
    a family of no clan.

    Raises:
        InputError: a line with fewer columns, or whose first is not a Pfam accession.
    """
    clans: dict[str, str] = {}
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) < 2 or not columns[0].startswith("PF"):
            raise InputError(
                path,
                "a Pfam accession, a tab and a clan were expected",
                record=f"line {number}",
                remedy="Is this Pfam-A.clans.tsv.gz?",
            )
        clans[columns[0]] = columns[1]
    return clans
