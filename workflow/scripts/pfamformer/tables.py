"""The tables that stages exchange: their columns, checked whenever one is written or read.

``docs/tables.md`` describes each column. Files are Parquet, with a TSV twin where people look.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pfamformer.command import atomic_path
from pfamformer.errors import InputError

_TEXT, _WHOLE, _REAL = pa.string(), pa.int32(), pa.float64()

SCHEMAS: dict[str, pa.Schema] = {
    name: pa.schema(columns)
    for name, columns in {
        "domains": [
            ("id", _TEXT), ("protein", _TEXT), ("start", _WHOLE), ("end", _WHOLE),
            ("family", _TEXT), ("clan", _TEXT), ("sequence", _TEXT),
        ],
        "rejects": [
            ("file", _TEXT), ("line", _WHOLE), ("family", _TEXT), ("row", _TEXT), ("reason", _TEXT),
        ],
        "families": [
            ("family", _TEXT), ("name", _TEXT), ("description", _TEXT), ("clan", _TEXT),
            ("gathering", _TEXT), ("domains", _WHOLE),
        ],
        "proteins": [("protein", _TEXT), ("sequence", _TEXT)],
        "components": [("id", _TEXT), ("family", _TEXT), ("component", _WHOLE)],
        "homologues": [
            ("row", pa.int64()), ("domain", _TEXT), ("identity", _REAL), ("coverage", _REAL),
            ("bits", _REAL),
        ],
        "surplus": [("shard", _TEXT), ("row", pa.int64())],
        "split_summary": [
            ("family", _TEXT), ("rows", _WHOLE), ("components", _WHOLE),
            ("largest_component", _WHOLE), ("train", _WHOLE), ("dev", _WHOLE), ("test", _WHOLE),
        ],
        "split": [
            ("id", _TEXT), ("family", _TEXT), ("component", _WHOLE), ("part", _TEXT),
            ("nearest_train_identity", _REAL),
        ],
        "localisation": [
            ("id", _TEXT), ("protein", _TEXT), ("start", _WHOLE), ("end", _WHOLE),
            ("component", _WHOLE), ("part", _TEXT), ("kind", _TEXT), ("sequence", _TEXT),
        ],
        "localisation_domains": [
            ("id", _TEXT), ("protein", _TEXT), ("start", _WHOLE), ("end", _WHOLE),
            ("family", _TEXT),
        ],
        "predictions": [
            ("id", _TEXT), ("truth", _TEXT), ("predicted", _TEXT), ("score", _REAL),
            ("method", _TEXT), ("run", _TEXT),
        ],
        "scores": [
            ("id", _TEXT), ("part", _TEXT), ("family", _TEXT), ("score", _REAL), ("run", _TEXT),
        ],
        "calls": [
            ("protein", _TEXT), ("start", _WHOLE), ("end", _WHOLE), ("label", _TEXT),
            ("score", _REAL), ("method", _TEXT), ("run", _TEXT),
        ],
        "hits": [
            ("protein", _TEXT), ("start", _WHOLE), ("end", _WHOLE), ("label", _TEXT),
            ("score", _REAL), ("method", _TEXT), ("run", _TEXT),
            ("evalue", _REAL), ("model_start", _WHOLE), ("model_end", _WHOLE),
            ("model_length", _WHOLE),
        ],
        "query": [("protein", _TEXT), ("length", _WHOLE), ("description", _TEXT)],
        "terms": [
            ("term", _TEXT), ("ontology", _TEXT), ("name", _TEXT), ("parents", _TEXT),
            ("train_proteins", _WHOLE), ("information", _REAL), ("predicted", pa.bool_()),
        ],
        "annotations": [
            ("protein", _TEXT), ("term", _TEXT), ("ontology", _TEXT), ("part", _TEXT),
            ("direct", pa.bool_()), ("negative", pa.bool_()),
        ],
        "neighbours": [
            ("query", _TEXT), ("target", _TEXT), ("identity", _REAL), ("coverage", _REAL),
            ("bits", _REAL),
        ],
        "task": [
            ("id", _TEXT), ("sequence", _TEXT), ("label", _TEXT), ("value", _REAL), ("part", _TEXT),
        ],
        "contacts": [("id", _TEXT), ("first", _WHOLE), ("second", _WHOLE)],
        "pairs": [("id", _TEXT), ("first", _WHOLE), ("second", _WHOLE), ("score", _REAL)],
        "metrics": [
            ("step", _WHOLE), ("part", _TEXT), ("tokens", pa.int64()), ("loss", _REAL),
            ("accuracy", _REAL), ("calibration_error", _REAL), ("tokens_per_second", _REAL),
            ("memory_mb", _REAL),
        ],
    }.items()
}  # fmt: skip


# Text with many equal values.
_REPEATED = ("family", "clan", "part", "kind", "label", "method", "run")


def write_table(table: pd.DataFrame, name: str, path: str | Path) -> None:
    """Write ``table`` as the table called ``name``; columns must be exactly those of the schema.

    A path that ends in ``.tsv`` gets tab-separated text, anything else Parquet.
    """
    schema = SCHEMAS[name]
    if list(table.columns) != schema.names:
        raise ValueError(f"table {name}: columns {list(table.columns)}, expected {schema.names}")
    packed = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
    with atomic_path(path) as temporary:
        if str(path).endswith(".tsv"):
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
        else:
            pq.write_table(packed.replace_schema_metadata(None), temporary, compression="zstd")


class TableWriter:
    """Write a Parquet table piece by piece: each piece is a row group.

    A context manager; the file appears under its name when the block succeeds.

    Attributes:
        temporary: where the pieces are until then; readable after :meth:`close`.
    """

    def __init__(self, name: str, path: str | Path) -> None:
        self.schema, self._path = SCHEMAS[name], atomic_path(path)
        # In memory only: the file says of all text alike that it is text.
        self._packed = pa.schema(
            pa.field(f.name, pa.dictionary(pa.int32(), _TEXT)) if f.name in _REPEATED else f
            for f in self.schema
        )

    def __enter__(self) -> TableWriter:
        self.temporary = self._path.__enter__()
        # Columns of many equal values; others would fill a dictionary in vain, and nobody asks for
        # the first of all sequences in alphabetical order.
        repeated = [name for name in _REPEATED if name in self.schema.names]
        counted = [name for name in self.schema.names if name not in ("id", "protein", "sequence")]
        # Residues have four bits of entropy each: compressing them takes as long as all else
        # together and halves the file at best.
        codecs = {n: "none" if n == "sequence" else "zstd" for n in self.schema.names}
        self._file = pq.ParquetWriter(
            self.temporary, self._packed, compression=codecs, use_dictionary=repeated,
            write_statistics=counted, store_schema=False,
        )  # fmt: skip
        return self

    def write(self, piece: pa.Table) -> None:
        """Write a row group with exactly the columns of the schema.

        Text with many equal values may be dictionaries, whose values all differ.
        """
        # A thread of its own would win nothing: it takes as long to pass the rows to another core.
        self._file.write_table(piece.cast(self._packed))

    def close(self) -> None:
        """Complete the temporary file."""
        self._file.close()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> bool | None:
        try:
            if kind is None:
                self.close()
        except BaseException as problem:
            self._path.__exit__(type(problem), problem, problem.__traceback__)
            raise
        return self._path.__exit__(kind, error, trace)


def from_rows(name: str, rows: Sequence[tuple]) -> pa.Table:
    """A piece of the table called ``name`` out of rows, values in the order of its columns."""
    schema = SCHEMAS[name]
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def read_table(name: str, path: str | Path) -> pd.DataFrame:
    """Read the table called ``name``; a file with other columns is an :class:`InputError`."""
    schema = SCHEMAS[name]
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(path, f"not readable as Parquet ({error})", remedy="Delete it") from error
    if table.schema.names != schema.names:
        raise InputError(
            path,
            f"columns {table.schema.names} are not those of table '{name}' ({schema.names})",
            remedy="Delete it and rerun: it was written by another version",
        )
    return table.to_pandas()


class Entries(dict):
    """A JSON object; an entry that is not there is an :class:`InputError` of its file."""

    def __init__(self, path: str | Path, content: dict[str, Any]) -> None:
        super().__init__(content)
        self._path = path

    def plus(self, **others: Any) -> Entries:
        """A copy with other entries beside these."""
        return Entries(self._path, {**self, **others})

    def __missing__(self, key: str) -> Any:
        raise InputError(
            self._path,
            f"no entry {key!r}",
            remedy="Delete it and rerun: it was written by another version",
        )


def read_json(path: str | Path) -> Any:
    """Read a summary that another rule wrote.

    Raises:
        InputError: it is no JSON, or, when an entry is asked for, lacks it.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text, object_hook=lambda content: Entries(path, content))
    except ValueError as error:
        raise InputError(path, f"not JSON ({error})", remedy="Delete it and rerun") from error
