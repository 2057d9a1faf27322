"""Token shards of sequences that are in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pfamformer.sequences.blocks import blocks_of
from pfamformer.sequences.hashing import hashes_of
from pfamformer.sequences.shards import ShardWriter


def write_shard(folder: str | Path, name: str, sequences: Iterable[str]) -> dict[str, Any]:
    """Write one shard; returns its entry for the index."""
    with ShardWriter(folder, name) as shard:
        for block in blocks_of(sequences):
            shard.add(block, hashes_of(block), np.ones(len(block), dtype=bool))
    return shard.entry
