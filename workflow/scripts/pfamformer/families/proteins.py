"""Full-length proteins of the seed domains (data set D2), in one pass over ``pfamseq``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.fasta import read_fasta
from pfamformer.tables import TableWriter

# Residues of a row group of the protein table.
ROW_GROUP_RESIDUES = 1 << 24


@dataclass(frozen=True)
class _Wanted:
    """The domains to check, by protein; sequences only as digests, so that memory stays small.

    Attributes:
        number: accession to the protein's number.
        first: for each protein, its first row in the arrays below; one more at the end.
        row: row in the domain table; shape (domains,).
        start, end: 1-based, inclusive; shape (domains,).
        digest: of the residues; shape (domains,), uint64.
    """

    number: dict[str, int]
    first: np.ndarray
    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    digest: np.ndarray


def full_length(domains: str | Path, pfamseq: str | Path, output: str | Path) -> int:
    """Write the ``proteins`` table, in the order of ``pfamseq``; returns the number of proteins.

    Every domain is checked against its protein.

    Args:
        domains: path of the ``domains`` table.
        pfamseq: FASTA whose headers start with ``accession.version``, or have it as second word.

    Raises:
        InputError: a protein is missing or occurs twice, or a domain's residues are not those of
            its protein.
    """
    wanted = _wanted(domains)
    seen = bytearray(len(wanted.number))
    with TableWriter("proteins", output) as writer:
        names: list[str] = []
        sequences: list[str] = []
        waiting = 0
        for number, name, sequence in _found(wanted, pfamseq):
            if seen[number]:
                raise InputError(pfamseq, "occurs a second time", record=f"protein {name}")
            seen[number] = 1
            _check(wanted, number, sequence, domains, pfamseq)
            names.append(name)
            sequences.append(sequence)
            waiting += len(sequence)
            if waiting > ROW_GROUP_RESIDUES:
                writer.write(pa.table({"protein": names, "sequence": sequences}))
                names, sequences, waiting = [], [], 0
        writer.write(pa.table({"protein": names, "sequence": sequences}))
        missing = len(seen) - sum(seen)
        if missing:
            first = next(name for name, number in wanted.number.items() if not seen[number])
            raise InputError(
                pfamseq,
                f"{missing} of {len(seen)} proteins of the seed are not in it",
                record=f"protein {first}",
                remedy="Use the pfamseq.gz of the same Pfam release as the seed",
            )
    return len(seen)


def _wanted(domains: str | Path) -> _Wanted:
    number: dict[str, int] = {}
    columns: list[list] = []
    for batch in pq.ParquetFile(domains).iter_batches(
        columns=["protein", "start", "end", "sequence"]
    ):
        names, starts, ends, sequences = batch.columns
        columns.append(
            [
                np.array([number.setdefault(n, len(number)) for n in names.to_pylist()], np.int64),
                starts.to_numpy(),
                ends.to_numpy(),
                np.array([_digest(s) for s in sequences.to_pylist()], np.uint64),
            ]
        )
    protein, start, end, digest = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order = np.argsort(protein, kind="stable")
    first = np.searchsorted(protein[order], np.arange(len(number) + 1))
    return _Wanted(number, first, order, start[order], end[order], digest[order])


def _digest(sequence: str) -> int:
    return int.from_bytes(hashlib.blake2b(sequence.encode(), digest_size=8).digest(), "big")


def _found(wanted: _Wanted, pfamseq: str | Path) -> Iterator[tuple[int, str, str]]:
    count = 0
    for count, (header, sequence) in enumerate(read_fasta(pfamseq), 1):
        # A release with entry names in front has the accession behind them.
        for name in header.split(None, 2)[:2]:
            number = wanted.number.get(name)
            if number is not None:
                yield number, name, sequence.upper()
                break
        if count % 1_000_000 == 0:
            log.info("%d million proteins read", count // 1_000_000)
    log.info("%d proteins read, %d wanted", count, len(wanted.number))


def _check(
    wanted: _Wanted, number: int, sequence: str, domains: str | Path, pfamseq: str | Path
) -> None:
    for row in range(wanted.first[number], wanted.first[number + 1]):
        if _digest(sequence[wanted.start[row] - 1 : wanted.end[row]]) != wanted.digest[row]:
            domain = pq.read_table(domains, columns=["id"])["id"][int(wanted.row[row])]
            raise InputError(
                pfamseq,
                "the domain's residues differ from its protein at these coordinates",
                record=f"domain {domain}",
                remedy="Use the pfamseq.gz of the same Pfam release as the seed",
            )
