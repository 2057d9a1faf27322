"""CAFA3: its training set, its targets and its benchmark, in its own layout.

``CAFA3_training_data/uniprot_sprot_exp.fasta`` and ``.txt`` (protein, term, aspect),
``CAFA3_targets`` (FASTA files, ``>T96060000001 NAME``), ``benchmark20171115/groundtruth``
(``leafonly_MFO*.txt``: target, leaf term) and ``lists`` (``mfo_all_type1.txt``: targets without
any knowledge before, ``type2``: with limited knowledge). Zhou et al., Genome Biology 20:244, 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.go import ONTOLOGIES
from pfamformer.tasks.ontology import Ontology

#: Copies of test proteins: this identity over this share of both sequences.
COPY_IDENTITY, COPY_COVERAGE = 0.95, 0.9


def read_pairs(path: str | Path, columns: int) -> Iterator[tuple[str, str]]:
    """(protein, term) of a file with so many columns, separated by white space.

    Raises:
        InputError: a line with another number of columns.
    """
    for number, line in read_lines(path):
        cells = line.split()
        if cells and len(cells) != columns:
            raise InputError(
                path, f"{len(cells)} columns, {columns} were expected", record=f"line {number}"
            )
        if cells:
            yield cells[0], cells[1]


def rows_of(facts: Iterable[tuple[str, str]], ontology: Ontology, part: str) -> pd.DataFrame:
    """Rows for :func:`pfamformer.tasks.go.make_task`; facts with terms not in use are left out."""
    rows, unknown = set(), 0
    for protein, identifier in facts:
        term = ontology.resolve(identifier)
        unknown += term is None
        if term is not None and term not in ontology.roots:
            rows.add((protein, term, ontology.terms[term].ontology, part, False))
    log.info("%s: %d facts, %d with terms not in use", part, len(rows), unknown)
    columns = ["protein", "term", "ontology", "part", "negative"]
    return pd.DataFrame(sorted(rows), columns=columns)


def read_training(folder: str | Path, ontology: Ontology) -> tuple[pd.DataFrame, dict[str, str]]:
    """Training rows, and the sequences by accession."""
    folder = Path(folder)
    facts = read_pairs(folder / "uniprot_sprot_exp.txt", 3)
    rows = rows_of(facts, ontology, "train")
    return rows, _sequences([folder / "uniprot_sprot_exp.fasta"], set(rows["protein"]))


def read_benchmark(
    folder: str | Path, targets: str | Path, ontology: Ontology, knowledge: int = 1
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Test rows of the benchmark, and the sequences by target.

    Args:
        targets: folder with the targets' FASTA files, searched with its subfolders.
        knowledge: 1: no knowledge before, 2: limited knowledge.
    """
    folder, rows = Path(folder), []
    for name in ONTOLOGIES:
        listed = folder / "lists" / f"{name}_all_type{knowledge}.txt"
        wanted = {line.strip() for _, line in read_lines(listed)}
        truth = sorted((folder / "groundtruth").glob(f"leafonly_{name.upper()}*.txt"))
        if not truth:
            raise InputError(folder / "groundtruth", f"holds no leafonly_{name.upper()}*.txt")
        found = rows_of(read_pairs(truth[0], 2), ontology, "test")
        rows.append(found[found["protein"].isin(wanted) & (found["ontology"] == name)])
    test = pd.concat(rows, ignore_index=True)
    files = sorted(Path(targets).rglob("*.fasta"))
    return test, _sequences(files, set(test["protein"]))


def _sequences(files: Iterable[Path], wanted: set[str]) -> dict[str, str]:
    found = {
        header.split(None, 1)[0]: sequence
        for path in files
        for header, sequence in read_fasta(path)
        if header.split(None, 1)[0] in wanted
    }
    if missing := wanted - found.keys():
        raise InputError(
            next(iter(files), "FASTA files"), f"no sequence of {sorted(missing)[0]}",
            record=f"{len(missing)} of {len(wanted)} proteins",
        )  # fmt: skip
    return found


def copies(hits: pd.DataFrame) -> set[str]:
    """Training proteins that are near-identical copies of a test protein (``neighbours`` table)."""
    alike = (hits["identity"] >= COPY_IDENTITY) & (hits["coverage"] >= COPY_COVERAGE)
    return set(hits.loc[alike, "target"])
