"""Items of the report: a figure or table with its numbers, its paragraphs and what was published.

A rule that makes something for the report writes one JSON file beside its SVG and TSV and lists it
in ``ITEMS`` (``rules/common.smk``); the page shows every listed item in its section without knowing
it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pfamformer.command import atomic_path
from pfamformer.errors import InputError

#: Sections of the page, in order, with their headings.
SECTIONS = {
    "data": "Data",
    "split": "Split and leakage",
    "pretraining": "Pretraining",
    "families": "Families",
    "locations": "Where the domains are",
    "analyses": "What the network has learnt",
    "function": "Function and fold",
    "ablations": "Ablations",
}
#: Rows of a table that the page shows; the TSV behind it holds all.
MAX_ROWS = 60


@dataclass(frozen=True)
class Column:
    """A column of an item's table.

    ``kind`` is ``text``, ``capitals`` (a text in capitals), ``number`` (with ``digits``), ``p`` (a
    p-value), ``interval`` or ``track``. An interval is the value of ``key`` with the columns
    ``<key>_low`` and ``<key>_high`` beside it, and ``<key>_sd`` over repetitions where there is
    one. A track draws the same as a dot with a bar between 0 and 100, and the column ``mark``, a
    published value, as a diamond.
    """

    key: str
    label: str
    kind: str = "number"
    digits: int = 1
    mark: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("text", "capitals", "number", "p", "interval", "track"):
            raise ValueError(f"column {self.key}: unknown kind {self.kind!r}")

    @property
    def left(self) -> bool:
        """Whether its cells begin at the left edge, as words do."""
        return self.kind in ("text", "capitals", "track")


@dataclass(frozen=True)
class Item:
    """What the page shows of one target.

    Args:
        name: target that makes it, such as ``figure_7``; also its anchor.
        section: a key of :data:`SECTIONS`.
        title: heading, such as "Figure 7: similarity of residues".
        caption: what is drawn or listed, one or two sentences.
        text: paragraphs made from the numbers.
        published: what the original study reports, a sentence; empty where it reports nothing.
        figure: SVG beside the JSON file.
        numbers: TSV beside the JSON file.
        columns: columns of ``numbers`` to show as a table; none shows no table.
        rank: place in its section, ascending, then by name.
        findings: sentences for the top of the page, what the numbers show.
        shortfalls: sentences for the top of the page, where they fall short.
        target: what to ask Snakemake for to make it; empty: its name.
    """

    name: str
    section: str
    title: str
    caption: str
    text: list[str] = field(default_factory=list)
    published: str = ""
    figure: str | None = None
    numbers: str | None = None
    columns: list[Column] = field(default_factory=list)
    rank: float = 0
    findings: list[str] = field(default_factory=list)
    shortfalls: list[str] = field(default_factory=list)
    target: str = ""

    def __post_init__(self) -> None:
        if self.section not in SECTIONS:
            raise ValueError(f"item {self.name}: unknown section {self.section!r}")


def said(found: bool, yes: str, no: str) -> dict[str, list[str]]:
    """Where an item's sentence belongs at the top of the page: keyword arguments of :class:`Item`.

    Args:
        found: whether what was hoped for or published is seen; decides which sentence is said.
    """
    return {"findings": [yes]} if found else {"shortfalls": [no]}


def write_item(item: Item, path: str | Path) -> None:
    """Write an item; ``figure`` and ``numbers`` must lie beside ``path`` already."""
    for file in (item.figure, item.numbers):
        if file is not None and not (Path(path).parent / file).exists():
            raise FileNotFoundError(f"{item.name}: {file} is not beside {path}")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(asdict(item), indent=1) + "\n", encoding="utf-8")


def read_item(path: str | Path) -> Item:
    """Read an item.

    Raises:
        InputError: the file is not one that :func:`write_item` wrote.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return Item(**found | {"columns": [Column(**column) for column in found["columns"]]})
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            path, f"not a report item ({error})", remedy="Delete it and rerun"
        ) from error


def in_order(items: Iterable[Item]) -> list[Item]:
    """Items in the order of the page."""
    places = {section: place for place, section in enumerate(SECTIONS)}
    return sorted(items, key=lambda item: (places[item.section], item.rank, item.name))


def cells(item: Item, numbers: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """Rows of an item's table: per cell the text, the value to sort by, and a small remark.

    Raises:
        InputError: the table lacks a column of the item.
    """
    missing = {column.key for column in item.columns} - set(numbers.columns)
    if missing:
        raise InputError(
            item.numbers or item.name,
            f"no column {', '.join(sorted(missing))}",
            remedy="Delete it and rerun: it was written by another version",
        )
    rows = numbers.head(MAX_ROWS).to_dict("records")
    return [[_cell(column, row) for column in item.columns] for row in rows]


def _cell(column: Column, row: dict[str, Any]) -> dict[str, Any]:
    value = row[column.key]
    if column.kind == "track":
        return _track(column, row)
    if _empty(value):
        return {"text": "–", "sort": "", "small": ""}
    if column.kind in ("text", "capitals"):
        shown = str(value).upper() if column.kind == "capitals" else str(value)
        return {"text": shown, "sort": shown, "small": ""}
    if column.kind == "p":
        return {"text": p_value(value), "sort": value, "small": ""}
    shown, small = _fixed(value, column.digits), ""
    if column.kind == "interval":
        low, high = row[f"{column.key}_low"], row[f"{column.key}_high"]
        # A dash between numbers that may have a minus sign is hard to read.
        between = " to " if low < 0 else "–"
        small = f"({_fixed(low, column.digits)}{between}{_fixed(high, column.digits)})"
        deviation = row.get(f"{column.key}_sd")
        if not _empty(deviation):
            shown += f" ± {_fixed(deviation, column.digits)}"
    return {"text": shown, "sort": value, "small": small}


def _fixed(value: float, digits: int) -> str:
    """A number with so many digits; zero never has a sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def _track(column: Column, row: dict[str, Any]) -> dict[str, Any]:
    """Places in per cent of the track; None where there is nothing to draw."""
    keys = {"value": column.key, "low": f"{column.key}_low", "high": f"{column.key}_high",
            "mark": column.mark}  # fmt: skip
    track = {name: None if _empty(row.get(key)) else row[key] for name, key in keys.items()}
    shown = "" if track["value"] is None else track["value"]
    return {"text": "", "sort": shown, "small": "", "track": track}


def _empty(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def p_value(p: float) -> str:
    """A p-value as people read it."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def p_phrase(p: float) -> str:
    """A p-value inside a sentence: "p = 0.03", "p < 0.0001"."""
    shown = p_value(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def prose(text: str) -> str:
    """A text as it is printed.

    Hyphens before numbers become minus signs, those of ranges stay; a number keeps its per cent
    sign, and a p-value stays whole, at the end of a line.
    """
    text = re.sub(r"(?<![\w.)\-–])-(?=\.?\d)", "−", text)
    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
    return re.sub(r"\bp ([=<]) (?=\d)", "p\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)
