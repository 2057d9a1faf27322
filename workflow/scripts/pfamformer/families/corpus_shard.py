"""One shard of a corpus: its training and validation parts, written as the source is read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pfamformer.command import log
from pfamformer.families.corpora import Selection, is_validation
from pfamformer.sequences.blocks import Block, blocks_of
from pfamformer.sequences.shards import ShardWriter

# Seconds between two lines of progress.
_REPORT_EVERY = 10.0


def write_protein_shard(
    folder: Path, name: str, blocks: Iterable[Block], select: Selection, valid_share: float
) -> dict[str, Any]:
    """Write what ``select`` keeps; a share of it, chosen by hash, becomes the validation part.

    Returns:
        ``counts`` by reason, and the entries of ``train`` and ``valid`` for their indexes.
    """
    started = reported = time.monotonic()
    with (
        ShardWriter(folder / "train", name) as train,
        ShardWriter(folder / "valid", name) as valid,
    ):
        for block, hashes, kept in select(blocks):
            chosen = is_validation(hashes, valid_share)
            train.add(block, hashes, kept & ~chosen)
            valid.add(block, hashes, kept & chosen)
            if time.monotonic() - reported > _REPORT_EVERY:
                reported = time.monotonic()
                read = select.counts["read"]
                log.info("%d sequences read, %.0f per second", read, read / (reported - started))
    return {"counts": select.counts, "train": train.entry, "valid": valid.entry}


def write_domain_shard(
    folder: Path, name: str, sequences: pd.Series, part: pd.Series, select: Selection
) -> dict[str, Any]:
    """Write training domains to ``train`` and development domains to ``valid``.

    Args:
        sequences, part: sequence and part (train, dev, test) of each domain. Test domains are not
            read; only training domains are judged by ``select.held_out``.
    """
    with ShardWriter(folder / "train", name) as train:
        for judged in select(blocks_of(sequences[part == "train"])):
            train.add(*judged)
    judge = Selection(None, select.limits)
    with ShardWriter(folder / "valid", name) as valid:
        for judged in judge(blocks_of(sequences[part == "dev"])):
            valid.add(*judged)
    counts = {key: value + judge.counts[key] for key, value in select.counts.items()}
    return {"counts": counts, "train": train.entry, "valid": valid.entry}
