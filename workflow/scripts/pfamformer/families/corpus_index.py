"""Joining the shards of a corpus: duplicates between them, counts by reason, the two indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pfamformer.command import log
from pfamformer.families.corpora import duplicates
from pfamformer.sequences.shards import check_shard, mapped, write_dropped, write_index

PARTS = ("train", "valid")


def join_shards(
    folder: Path, entries: list[dict[str, Any]], surplus: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, int]:
    """Compare the shards with each other and write ``train/index.json`` and ``valid/index.json``.

    Args:
        folder: of the corpus.
        entries: what each shard's job wrote, in reading order.
        surplus: reason → shard name → rows of its training part to leave out, ascending.

    Returns:
        Sequences read, kept, and left out by reason; ``read`` is the sum of the others.
    """
    counts = {key: sum(e["counts"][key] for e in entries) for key in entries[0]["counts"]}
    counts |= dict.fromkeys(("duplicate", *surplus), 0)
    shards = {}
    for part in PARTS:
        shards[part] = [entry[part] for entry in entries]
        for shard in shards[part]:
            check_shard(folder / part, shard, checksums=True)
        hashes = [mapped(folder / part / f"{s['name']}.hashes", "<u8") for s in shards[part]]
        reasons = {"duplicate": dict(zip(_names(shards[part]), duplicates(hashes), strict=True))}
        if part == "train":
            reasons |= surplus
        shards[part] = [_drop(folder / part, s, reasons, counts) for s in shards[part]]
    gone = sum(n for key, n in counts.items() if key not in ("read", "kept"))
    if counts["read"] != counts["kept"] + gone:
        raise RuntimeError(f"{folder}: sequences got lost while counting: {counts}")
    for part in PARTS:
        write_index(folder / part, shards[part], {"selection": counts})
    log.info("%s", counts)
    return counts


def _names(shards: list[dict[str, Any]]) -> list[str]:
    return [shard["name"] for shard in shards]


def _drop(
    folder: Path,
    shard: dict[str, Any],
    reasons: Mapping[str, Mapping[str, np.ndarray]],
    counts: dict[str, int],
) -> dict[str, Any]:
    """Mark rows as superfluous; a row with several reasons counts under the first."""
    gone = np.zeros(0, dtype=np.int64)
    for reason, by_shard in reasons.items():
        rows = np.setdiff1d(by_shard.get(shard["name"], gone[:0]), gone)
        counts[reason] += len(rows)
        counts["kept"] -= len(rows)
        gone = np.union1d(gone, rows)
    return write_dropped(folder, shard, gone)
