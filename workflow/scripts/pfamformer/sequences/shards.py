"""Token shards: flat ``uint8`` residue tokens and ``uint64`` offsets, memory-mapped, checksummed.

A corpus part is a folder with ``index.json`` and, per shard, ``NAME.tokens``, ``NAME.offsets`` (one
more offset than sequences, the first is 0), ``NAME.hashes`` (``uint64``, one each) and, where
sequences turned out to be superfluous later, ``NAME.dropped`` (``uint64`` row numbers, ascending):
readers skip those. Reading costs no memory beyond the lengths.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from pfamformer.command import atomic_path
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import INVALID, LETTERS
from pfamformer.sequences.blocks import BLOCK, Block, offsets_of

# Above this size a whole corpus part is not read for its checksums whenever a job opens it (about
# ten seconds); the job that makes the index reads everything once.
VERIFIED_ON_OPENING = 8 << 30
KINDS = ("tokens", "offsets", "hashes")
# Blocks that wait to be written: enough that neither side waits for a hiccup of the other.
MOST_PENDING = 4


class ShardWriter:
    """Writes one shard block by block; its files appear when the ``with`` block has succeeded.

    A second thread picks the sequences, computes checksums and writes while the next block is made.
    """

    def __init__(self, folder: str | Path, name: str) -> None:
        self.folder, self.name = Path(folder), name
        self.sequences = self.residues = 0
        self._digests = {kind: hashlib.sha256() for kind in KINDS}
        self._pending: deque[Future] = deque()
        # What is written of a block: the same memory for all of them.
        self._tokens = np.empty(0, np.uint8)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._files = {}
            for kind in KINDS:
                path = stack.enter_context(atomic_path(self.folder / f"{self.name}.{kind}"))
                self._files[kind] = stack.enter_context(open(path, "wb"))
            self._pool = stack.enter_context(ThreadPoolExecutor(1))
            self._write("offsets", np.zeros(1, dtype="<u8"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._stack:
            if error is not None:
                raise error
            for written in self._pending:
                written.result()

    def add(self, block: Block, hashes: np.ndarray, wanted: np.ndarray) -> None:
        """Append sequences of a block.

        Args:
            hashes: of all its sequences, (sequences,), ``uint64``.
            wanted: which of them are written, (sequences,), ``bool``.

        Raises:
            ValueError: a token of a block before is no residue.
        """
        if len(self._pending) == MOST_PENDING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._write_block, block, hashes, wanted))

    def _write_block(self, block: Block, hashes: np.ndarray, wanted: np.ndarray) -> None:
        offsets = offsets_of(block.lengths[wanted])
        residues = int(offsets[-1])
        if residues > len(self._tokens):
            self._tokens = np.empty(residues, np.uint8)
        tokens = self._tokens[:residues]
        # With one more, empty run, so that there is one.
        np.concatenate([*block.runs(wanted), tokens[:0]], out=tokens)
        if tokens.max(initial=0) == INVALID:
            raise ValueError(f"shard {self.name}: a character that is not an amino acid")
        self._write("tokens", tokens)
        self._write("offsets", (offsets[1:] + self.residues).astype("<u8"))
        self._write("hashes", hashes[wanted].astype("<u8"))
        self.sequences += len(offsets) - 1
        self.residues += residues

    def _write(self, kind: str, content: bytes | np.ndarray) -> None:
        self._digests[kind].update(content)
        self._files[kind].write(content)

    @property
    def entry(self) -> dict[str, Any]:
        """What the index says of the shard: name, sequences, residues, checksums."""
        return {
            "name": self.name,
            "sequences": self.sequences,
            "residues": self.residues,
            **{f"{kind}_sha256": digest.hexdigest() for kind, digest in self._digests.items()},
        }


def write_index(
    folder: str | Path, shards: Sequence[dict[str, Any]], about: dict[str, Any]
) -> None:
    """Write ``index.json``: the shards in reading order, and where they come from."""
    content = {
        "sequences": sum(s["sequences"] - s.get("dropped", 0) for s in shards),
        "residues": sum(s["residues"] - s.get("dropped_residues", 0) for s in shards),
        "shards": list(shards),
        **about,
    }
    with atomic_path(Path(folder) / "index.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_dropped(folder: str | Path, shard: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Mark rows of a finished shard as superfluous; returns its new entry for the index.

    The tokens stay where they are: marking a few duplicates among a million sequences must not
    cost writing the shard again.

    Args:
        shard: the entry of the shard.
        rows: row numbers, ascending.
    """
    if not len(rows):
        return shard
    raw = rows.astype("<u8").tobytes()
    with atomic_path(Path(folder) / f"{shard['name']}.dropped") as temporary:
        temporary.write_bytes(raw)
    offsets = mapped(Path(folder) / f"{shard['name']}.offsets", "<u8")
    lost = int((offsets[rows + 1] - offsets[rows]).sum())
    return shard | {
        "dropped": len(rows),
        "dropped_residues": lost,
        "dropped_sha256": hashlib.sha256(raw).hexdigest(),
    }


def mapped(path: Path, kind: str) -> np.ndarray:
    """A file as a memory-mapped array; an empty file cannot be mapped."""
    return np.memmap(path, kind, "r") if path.stat().st_size else np.zeros(0, kind)


def check_shard(folder: Path, shard: dict[str, Any], *, checksums: bool) -> None:
    """Compare the files of a shard with its entry: sizes, and checksums if wanted.

    Raises:
        InputError: a file is missing, has another size than the index says, or another checksum.
    """
    sizes = {
        "tokens": shard["residues"],
        "offsets": 8 * (shard["sequences"] + 1),
        "hashes": 8 * shard["sequences"],
        "dropped": 8 * shard.get("dropped", 0),
    }
    for kind, size in sizes.items():
        key = f"{kind}_sha256"
        if key not in shard:
            continue
        path = folder / f"{shard['name']}.{kind}"
        found = path.stat().st_size if path.exists() else -1
        if found != size:
            raise InputError(path, f"{found} bytes, the index says {size}", remedy="Rerun its rule")
        if checksums:
            with open(path, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard[key]:
                    raise InputError(
                        path, "its checksum is not the index's", remedy="Rerun its rule"
                    )


class MappedShard:
    """One shard as memory-mapped tokens, without its dropped rows.

    Attributes:
        rows: row numbers of the sequences that are read, or None for all of them.
    """

    def __init__(self, folder: Path, shard: dict[str, Any]) -> None:
        path = lambda kind: folder / f"{shard['name']}.{kind}"  # noqa: E731
        self.tokens = mapped(path("tokens"), "u1")
        self.offsets = mapped(path("offsets"), "<u8")
        dropped = shard.get("dropped", 0)
        self.rows: np.ndarray | None = None
        self.dropped = mapped(path("dropped"), "<u8") if dropped else np.zeros(0, "<u8")
        if dropped:
            self.rows = np.delete(np.arange(shard["sequences"]), self.dropped.astype(np.int64))

    def lengths(self) -> np.ndarray:
        """Residues of each sequence that is read, (sequences,), ``int64``."""
        lengths = np.diff(self.offsets.astype(np.int64))
        return lengths if self.rows is None else lengths[self.rows]

    def __getitem__(self, index: int) -> np.ndarray:
        row = index if self.rows is None else int(self.rows[index])
        return self.tokens[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def texts(self) -> Iterator[str]:
        """The sequences that are read, as letters (J comes back as X)."""
        rows = range(len(self.offsets) - 1) if self.rows is None else self.rows.tolist()
        offsets = self.offsets
        for row in rows:
            tokens = self.tokens[int(offsets[row]) : int(offsets[row + 1])].tobytes()
            yield tokens.translate(LETTERS).decode("ascii")

    def residue_counts(self) -> np.ndarray:
        """How often each token occurs in what is read, (33,); a few megabytes at a time."""
        counts = np.zeros(33, dtype=np.int64)
        for start in range(0, len(self.tokens), BLOCK):
            counts += np.bincount(self.tokens[start : start + BLOCK], minlength=33)
        for row in self.dropped.tolist():
            lost = self.tokens[int(self.offsets[row]) : int(self.offsets[row + 1])]
            counts -= np.bincount(lost, minlength=33)
        return counts


class TokenShards:
    """The sequences of a corpus part, in order, as memory-mapped tokens.

    Args:
        folder: one that :func:`write_index` has completed.

    Raises:
        InputError: a file is missing, has another size than the index says, or another checksum
            (checksums of a corpus above ``VERIFIED_ON_OPENING`` were compared when it was made).
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
        small = sum(shard["residues"] for shard in self.index["shards"]) <= VERIFIED_ON_OPENING
        self._shards: list[MappedShard] = []
        for shard in self.index["shards"]:
            check_shard(self.folder, shard, checksums=small)
            self._shards.append(MappedShard(self.folder, shard))
        lengths = [shard.lengths() for shard in self._shards]
        self._starts = np.cumsum([0, *map(len, lengths)])
        self.lengths = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        """Residue tokens of one sequence, shape (length,), ``uint8``."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._shards[shard][int(index) - int(self._starts[shard])]

    def residue_counts(self) -> np.ndarray:
        """How often each token occurs, shape (33,)."""
        return sum((s.residue_counts() for s in self._shards), np.zeros(33, dtype=np.int64))
