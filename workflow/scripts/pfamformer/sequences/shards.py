"""Token shards: flat ``uint8`` residue tokens and ``uint64`` offsets, memory-mapped, checksummed.

A corpus part is a folder with ``index.json`` and, per shard, ``NAME.tokens`` and ``NAME.offsets``
(one more offset than sequences, the first is 0). Reading costs no memory beyond the offsets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pfamformer.command import atomic_path
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import encode


def write_shard(folder: str | Path, name: str, sequences: Iterable[str]) -> dict[str, Any]:
    """Write one shard; returns its entry for the index (name, sequences, residues, checksums)."""
    folder = Path(folder)
    offsets = [0]
    digest = hashlib.sha256()
    with atomic_path(folder / f"{name}.tokens") as temporary, open(temporary, "wb") as out:
        for sequence in sequences:
            tokens = encode(sequence).tobytes()
            out.write(tokens)
            digest.update(tokens)
            offsets.append(offsets[-1] + len(tokens))
    raw = np.array(offsets, dtype="<u8").tobytes()
    with atomic_path(folder / f"{name}.offsets") as temporary:
        temporary.write_bytes(raw)
    return {
        "name": name,
        "sequences": len(offsets) - 1,
        "residues": offsets[-1],
        "tokens_sha256": digest.hexdigest(),
        "offsets_sha256": hashlib.sha256(raw).hexdigest(),
    }


def write_index(
    folder: str | Path, shards: Sequence[dict[str, Any]], about: dict[str, Any]
) -> None:
    """Write ``index.json``: the shards in reading order, and where they come from."""
    content = {
        "sequences": sum(s["sequences"] for s in shards),
        "residues": sum(s["residues"] for s in shards),
        "shards": list(shards),
        **about,
    }
    with atomic_path(Path(folder) / "index.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class TokenShards:
    """The sequences of a corpus part, in order, as memory-mapped tokens.

    Args:
        folder: one that :func:`write_index` has completed.

    Raises:
        InputError: a file is missing, has another size than the index says, or another checksum.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "index.json"
        try:
            self.index = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                path, f"not a corpus index ({error})", remedy="Rerun its rule"
            ) from error
        self._tokens, self._starts, lengths = [], [0], []
        self._offsets = []
        for shard in self.index["shards"]:
            tokens, offsets = self._map(shard)
            self._tokens.append(tokens)
            self._offsets.append(offsets)
            self._starts.append(self._starts[-1] + shard["sequences"])
            lengths.append(np.diff(offsets.astype(np.int64)))
        self.lengths = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)

    def _map(self, shard: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        paths = [self.folder / f"{shard['name']}.{kind}" for kind in ("tokens", "offsets")]
        sizes = [shard["residues"], 8 * (shard["sequences"] + 1)]
        for path, size, key in zip(paths, sizes, ("tokens_sha256", "offsets_sha256"), strict=True):
            found = path.stat().st_size if path.exists() else -1
            if found != size:
                raise InputError(
                    path, f"{found} bytes, the index says {size}", remedy="Rerun its rule"
                )
            with open(path, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard[key]:
                    raise InputError(
                        path, "its checksum is not the index's", remedy="Rerun its rule"
                    )
        tokens = np.memmap(paths[0], np.uint8, "r") if sizes[0] else np.zeros(0, np.uint8)
        return tokens, np.memmap(paths[1], "<u8", "r")

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> np.ndarray:
        """Residue tokens of one sequence, shape (length,), ``uint8``."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = int(index) - self._starts[shard]
        offsets = self._offsets[shard]
        return self._tokens[shard][int(offsets[row]) : int(offsets[row + 1])]

    def residue_counts(self) -> np.ndarray:
        """How often each token occurs, shape (33,)."""
        counts = np.zeros(33, dtype=np.int64)
        for tokens in self._tokens:
            counts += np.bincount(tokens, minlength=33)
        return counts
