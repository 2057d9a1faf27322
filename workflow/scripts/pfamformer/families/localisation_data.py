"""Writing the localisation data set: slices of proteins with their domains, and negatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pfamformer.families.localisation import (
    OUTSIDE,
    Place,
    residue_labels,
    resolve_overlaps,
    shuffled,
    slices,
)
from pfamformer.tables import SCHEMAS, TableWriter

# Proteins of a row group.
BATCH = 20_000


def write_localisation(
    domains: pd.DataFrame,
    proteins: str | Path,
    parts: pd.DataFrame,
    table: str | Path,
    places: str | Path,
    *,
    max_length: int,
    shuffled_share: float,
    seed: int,
) -> dict[str, Any]:
    """Write the tables ``localisation`` and ``localisation_domains``; returns a summary.

    Args:
        domains: columns ``protein``, ``start``, ``end``, ``family``, ``clan``.
        proteins: path of the ``proteins`` table, read once.
        parts: index protein, columns ``component`` and ``part``.
        max_length: of a slice, residues.
        shuffled_share: negatives for each slice of a part, 0…1.
        seed: of the shuffling; each slice has its own stream.
    """
    by_protein = domains.groupby("protein", sort=False).indices
    columns = [domains[c].to_numpy() for c in ("start", "end", "family", "clan")]
    of_protein = dict(
        zip(parts.index, zip(parts["component"], parts["part"], strict=True), strict=True)
    )
    counts: Counter[str] = Counter()
    with (
        TableWriter("localisation", table) as rows_out,
        TableWriter("localisation_domains", places) as places_out,
    ):
        for batch in pq.ParquetFile(proteins).iter_batches(batch_size=BATCH):
            rows: list[tuple] = []
            inside: list[tuple] = []
            for protein, sequence in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                chosen = by_protein[protein]
                given = [
                    Place(*values) for values in zip(*(c[chosen] for c in columns), strict=True)
                ]
                kept, resolved = resolve_overlaps(given)
                counts.update(resolved)
                counts.update(proteins=1, domains_given=len(given), domains=len(kept))
                component, part = of_protein[protein]
                for start, end in slices(len(sequence), kept, max_length):
                    name = f"{protein}/{start}-{end}"
                    held = [p for p in kept if start <= p.start and p.end <= end]
                    rows.append(
                        (name, protein, start, end, component, part, "protein",
                         sequence[start - 1 : end])
                    )  # fmt: skip
                    inside += [(name, protein, p.start, p.end, p.family) for p in held]
                    _count(counts, part, start, end, held, max_length)
            rows += list(_negatives(rows, shuffled_share, seed))
            rows_out.write(_table("localisation", rows))
            places_out.write(_table("localisation_domains", inside))
    return dict(sorted(counts.items()))


def _count(
    counts: Counter[str], part: str, start: int, end: int, held: list[Place], max_length: int
) -> None:
    labels = residue_labels(start, end, held, dict.fromkeys((p.family for p in held), 0))
    outside = int((labels == OUTSIDE).sum())
    counts.update(
        {
            f"{part}_slices": 1,
            f"{part}_domains": len(held),
            f"{part}_residues_in_domains": len(labels) - outside,
            f"{part}_residues_outside": outside,
            "slices_longer_than_max_length": int(end - start + 1 > max_length),
        }
    )


def _negatives(rows: list[tuple], share: float, seed: int) -> Iterator[tuple]:
    for name, protein, start, end, component, part, _, sequence in rows:
        stream = np.random.default_rng([seed, *name.encode()])
        if stream.random() < share:
            yield (
                f"shuffled/{name}", protein, start, end, component, part, "shuffled",
                shuffled(sequence, stream),
            )  # fmt: skip


def _table(name: str, rows: list[tuple]) -> pa.Table:
    schema = SCHEMAS[name]
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in schema]
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )
