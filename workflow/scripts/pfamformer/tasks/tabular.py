"""Tasks in other people's plain files: TSV of remote homology, SCOPe, ASTRAL, FLIP's FASTA."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.rows import TaskRows, TaskTables
from pfamformer.tasks.tape import PARTS

_ASTRAL = re.compile(r"(?P<id>\S+)\s+(?P<superfamily>(?P<fold>[a-z]\.\d+)\.\d+)\.\d+(?=\s|$)")
# All alpha, all beta, alpha/beta, alpha+beta, multi-domain, membrane, small.
_TRUE_CLASSES = "abcdefg"


def read_tsv(path: str | Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """(line, values of these columns) of a TSV file with a header line.

    Raises:
        InputError: a missing column, or a line with another number of cells, with the line.
    """
    lines = read_lines(path, "utf-8")
    _, header = next(lines, (0, ""))
    names = header.split("\t")
    if missing := [name for name in columns if name not in names]:
        raise InputError(path, f"has no column {missing[0]!r}", record="line 1")
    at = [names.index(name) for name in columns]
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(names):
            raise InputError(
                path, f"{len(cells)} cells, the header has {len(names)}", record=f"line {number}"
            )
        yield number, [cells[i] for i in at]


def read_tape_tsv(path: str | Path) -> TaskTables:
    """Remote homology with TAPE's own splits: columns ``split, domain, fold, sequence``."""
    rows = TaskRows(path)
    known = {name.removesuffix("_holdout"): part for name, part in PARTS.items()} | PARTS
    for number, (split, domain, fold, sequence) in read_tsv(
        path, ("split", "domain", "fold", "sequence")
    ):
        where = f"line {number}"
        if split not in known:
            rows.reject(where, f"unknown split {split[:30]!r}")
        else:
            rows.add(where, domain, sequence, known[split], label=fold)
    return rows.tables()


def read_scope_tsv(path: str | Path, seed: int, test_share: float = 0.25) -> TaskTables:
    """SCOPe domains, split so that no superfamily is in two parts, while every fold is trained.

    Columns ``sid, fold, superfamily, seq``. Of each fold with several superfamilies some are held
    out, drawn at random, for at most ``test_share`` of its domains: the first ones for the test
    part, one more for dev while there are enough. Folds with one superfamily only train.
    """
    rows = [
        (f"line {number}", *cells)
        for number, cells in read_tsv(path, ("sid", "fold", "superfamily", "seq"))
    ]
    return _scope_tables(TaskRows(path), rows, seed, test_share)


def read_astral(path: str | Path, seed: int, test_share: float = 0.25) -> TaskTables:
    """SCOPe domains from ASTRAL's FASTA, split as by :func:`read_scope_tsv`.

    Headers are ``>d1dlwa_ a.1.1.1 (A:) …``: identifier, then class, fold, superfamily and family.
    Only the classes a to g group proteins by structure; domains of others are rejected.
    """
    out, rows = TaskRows(path), []
    for number, (header, sequence) in enumerate(read_fasta(path), 1):
        found = _ASTRAL.match(header)
        if found is None:
            out.reject(f"record {number}", f"no SCOPe classification in {header[:40]!r}")
        elif found["fold"][0] not in _TRUE_CLASSES:
            out.reject(f"record {number}", f"class {found['fold'][0]} is no class of folds")
        else:
            rows.append((f"record {number}", found["id"], found["fold"], found["superfamily"],
                         sequence))  # fmt: skip
    return _scope_tables(out, rows, seed, test_share)


def _scope_tables(
    out: TaskRows, rows: Sequence[tuple[str, ...]], seed: int, test_share: float
) -> TaskTables:
    table = pd.DataFrame(rows, columns=["where", "id", "fold", "superfamily", "sequence"])
    part = superfamily_split(table, seed, test_share)
    for row in table.itertuples():
        out.add(row.where, row.id, row.sequence, part[row.superfamily], label=row.fold)
    return out.tables()


def superfamily_split(table: pd.DataFrame, seed: int, test_share: float) -> dict[str, str]:
    """The part of each superfamily; see :func:`read_scope_tsv`."""
    part: dict[str, str] = {}
    for fold, domains in table.groupby("fold", sort=True):
        size = domains["superfamily"].value_counts().sort_index()
        part |= dict.fromkeys(size.index, "train")
        # Each fold has its own stream: a new fold moves no other.
        order = np.random.default_rng([seed, *fold.encode()]).permutation(len(size))
        left = {"test": test_share * len(domains), "dev": test_share * len(domains) / 2}
        # The largest superfamily always trains.
        largest = int(size.to_numpy().argmax())
        for name in (size.index[i] for i in order if i != largest):
            for held_out in ("test", "dev"):
                if size[name] <= left[held_out]:
                    left[held_out] -= size[name]
                    part[name] = held_out
                    break
    return part


def read_flip(folder: str | Path) -> TaskTables:
    """FLIP's secondary structure: ``sequences``, ``sampled`` (labels, split) and ``mask`` FASTA.

    A residue that was not resolved has the label ``-``. Splits: ``SET=train`` with
    ``VALIDATION=True`` is dev, any other set keeps its name behind ``test_``.
    """
    files = {name: _one(folder, name) for name in ("sequences", "sampled", "mask")}
    sequences = {h.split()[0]: s for h, s in read_fasta(files["sequences"])}
    masks = {h.split()[0]: s for h, s in read_fasta(files["mask"])}
    rows = TaskRows(folder)
    for header, states in read_fasta(files["sampled"]):
        name, *words = header.split()
        said = dict(word.split("=", 1) for word in words if "=" in word)
        where = f"{files['sampled'].name}, record {name}"
        sequence, mask = sequences.get(name), masks.get(name)
        if sequence is None or mask is None:
            rows.reject(where, "no sequence" if sequence is None else "no mask")
        elif not len(sequence) == len(states) == len(mask):
            rows.reject(where, f"{len(sequence)} residues, {len(states)} labels, {len(mask)} mask")
        else:
            label = "".join(s if m == "1" else "-" for s, m in zip(states, mask, strict=True))
            rows.add(where, name, sequence, _flip_part(said), label=label)
    return rows.tables()


def _flip_part(said: dict[str, str]) -> str:
    if said.get("SET") == "train":
        return "dev" if said.get("VALIDATION") == "True" else "train"
    name = said.get("SET", "test")
    return "test" if name == "test" else f"test_{name}"


def _one(folder: str | Path, name: str) -> Path:
    found = sorted(Path(folder).glob(f"{name}.fasta*"))
    if not found:
        raise InputError(folder, f"holds no {name}.fasta or {name}.fasta.gz")
    if len(found) > 1:
        log.info("%s: %s is read", name, found[0].name)
    return found[0]
