"""CAFA3: its training set, its targets and its benchmark, in its own layout.

``CAFA3_training_data/uniprot_sprot_exp.fasta`` and ``.txt`` (protein, term, aspect),
``CAFA3_targets`` (FASTA files, ``>T96060000001 NAME``), ``benchmark20171115/groundtruth``
(``leafonly_MFO*.txt``: target, leaf term) and ``lists`` (``mfo_all_type1.txt``: targets without
any knowledge before, ``type2``: with limited knowledge). The last two folders come in an archive
inside the archive of the assessment's supplementary data. Zhou et al., Genome Biology 20:244, 2019.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.fasta import DAMAGE, damaged, read_fasta
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.archives import extract_files
from pfamformer.tasks.go import ONTOLOGIES
from pfamformer.tasks.ontology import Ontology
from pfamformer.tasks.time_split import Knowledge

#: Copies of test proteins: this identity over this share of both sequences.
COPY_IDENTITY, COPY_COVERAGE = 0.95, 0.9
#: The lists of the benchmark that hold the targets of each kind.
TYPES: dict[Knowledge, tuple[int, ...]] = {"none": (1,), "limited": (2,), "none or limited": (1, 2)}
# What is read out of the archives; files that begin with a dot are a Macintosh's notes.
_WANTED = re.compile(
    r"(?!\.)(uniprot_sprot_exp\.(fasta|txt)|target.*\.fasta|leafonly_.*\.txt|.*_all_type\d\.txt)"
)
#: The final benchmark; the preliminary one of June 2017 lies beside it.
BENCHMARK = "benchmark20171115"
_ARCHIVE = re.compile(rf"{BENCHMARK}\.(tar|tgz|tar\.gz)")


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


def rows_of(
    facts: Iterable[tuple[str, str]],
    ontology: Ontology,
    part: str,
    counts: Counter[str] | None = None,
) -> pd.DataFrame:
    """Rows for :func:`pfamformer.tasks.go.make_task`; facts with terms not in use are left out.

    Args:
        counts: receives the number of facts (``rows``) and what became of them.
    """
    rows, counts = set(), Counter() if counts is None else counts
    for protein, identifier in facts:
        term = ontology.resolve(identifier)
        what = "terms not in use" if term is None else "roots" if term in ontology.roots else "kept"
        counts.update(["rows", what])
        if what == "kept":
            rows.add((protein, term, ontology.terms[term].ontology, part, False))
    log.info("%s: %s", part, dict(counts))
    columns = ["protein", "term", "ontology", "part", "negative"]
    # Without a row pandas would guess another type, and infect what is joined with it.
    return pd.DataFrame(sorted(rows), columns=columns).astype({"negative": bool})


def unpack(archives: Iterable[str | Path], folder: str | Path) -> None:
    """Write what is read here of these archives, and of archives in them, below a folder.

    Raises:
        InputError: a missing or damaged archive.
    """
    for archive in archives:
        inside = Path(tempfile.mkdtemp(dir=folder))
        try:
            with tarfile.open(archive) as packed:
                extract_files(
                    packed, inside, lambda name: _WANTED.fullmatch(name) or _ARCHIVE.fullmatch(name)
                )
        except FileNotFoundError as error:
            raise InputError(archive, "no such file") from error
        except (*DAMAGE, tarfile.TarError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk's word, not the archive's
            raise damaged(
                archive, f"archive of {Path(archive).stat().st_size:,} bytes", error
            ) from error
        unpack([path for path in inside.rglob("*") if _ARCHIVE.fullmatch(path.name)], folder)


def find(folder: str | Path, pattern: str) -> Path:
    """The one file or folder below ``folder`` whose path ends in this pattern.

    Raises:
        InputError: there is none.
    """
    found = sorted(Path(folder).rglob(pattern))
    if not found:
        raise InputError(
            folder, f"the archives of CAFA3 hold no {pattern}",
            remedy="Are these its training data, targets and supplementary data?",
        )  # fmt: skip
    return found[0]


def read_training(
    folder: str | Path, ontology: Ontology, counts: Counter[str] | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Training rows, and the sequences by accession; ``counts`` as in :func:`rows_of`."""
    folder = Path(folder)
    facts = read_pairs(folder / "uniprot_sprot_exp.txt", 3)
    rows = rows_of(facts, ontology, "train", counts)
    return rows, _sequences([folder / "uniprot_sprot_exp.fasta"], set(rows["protein"]))


def draw_dev(rows: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The rows, those of a random share of the proteins as part dev: facts have no dates here."""
    names = np.array(sorted(set(rows["protein"])), dtype=object)
    drawn = np.random.default_rng(seed).choice(names, int(share * len(names)), replace=False)
    return rows.assign(part=np.where(rows["protein"].isin(set(drawn)), "dev", rows["part"]))


def read_benchmark(
    folder: str | Path, targets: str | Path, ontology: Ontology, knowledge: Knowledge = "none"
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Test rows of the benchmark, and the sequences by target.

    Args:
        targets: folder with the targets' FASTA files, searched with its subfolders.
        knowledge: what was known of a target before: nothing, or only of another ontology.
    """
    folder, rows = Path(folder), []
    for name in ONTOLOGIES:
        lists = [folder / "lists" / f"{name}_all_type{number}.txt" for number in TYPES[knowledge]]
        wanted = {line.strip() for path in lists for _, line in read_lines(path)}
        truth = sorted((folder / "groundtruth").glob(f"leafonly_{name.upper()}*.txt"))
        if not truth:
            raise InputError(folder / "groundtruth", f"holds no leafonly_{name.upper()}*.txt")
        found = rows_of(read_pairs(truth[0], 2), ontology, "test")
        rows.append(found[found["protein"].isin(wanted) & (found["ontology"] == name)])
    test = pd.concat(rows, ignore_index=True)
    files = sorted(Path(targets).rglob("target*.fasta"))
    return test, _sequences(files, set(test["protein"]))


def _sequences(files: Iterable[Path], wanted: set[str]) -> dict[str, str]:
    found = {
        name: sequence.upper()
        for path in files
        for header, sequence in read_fasta(path)
        if (name := (header.split() or [""])[0]) in wanted
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
