"""One alignment per fold, for profiles of folds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pfamformer.sequences.fasta import open_gzip_writer
from pfamformer.sequences.stockholm import stockholm_entry
from pfamformer.sources.labelled import Row
from pfamformer.sources.own import align


def write_alignments(domains: pd.DataFrame, path: str | Path, threads: int) -> None:
    """Write one alignment per fold (gzipped Stockholm) of these domains, made by FAMSA."""
    with open_gzip_writer(path) as out:
        for fold, rows in domains.groupby("family", sort=True):
            out.writelines(_entry(str(fold), rows, threads))


def _entry(fold: str, rows: pd.DataFrame, threads: int) -> Iterator[str]:
    names = [f"{p}/1-{end}" for p, end in zip(rows["protein"], rows["end"], strict=True)]
    given = [Row(0, n, s) for n, s in zip(names, rows["sequence"], strict=True)]
    features = {"ID": fold, "AC": fold, "SQ": len(rows)}
    return stockholm_entry(features, zip(names, align(given, threads), strict=True))
