"""Mutated files: each is read with its rejects counted, or refused with its file and line.

A format is an entry of FORMATS: how to make an intact file, and how to read one. To add a format,
add an entry; its share of the files follows from the number of entries.
"""

import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from conftest import random_sequence
from pfamformer.errors import InputError
from pfamformer.families import seed as seeds
from pfamformer.families.clans import read_clans
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sources.labelled import read_labelled, read_proteins
from pfamformer.tables import read_table

# Mutated files of each format and each of the two forms, plain and gzipped.
FILES = 120


@dataclass(frozen=True)
class Format:
    """How a format is made and read.

    Attributes:
        make: an intact file.
        read: rows read, rows kept, rows rejected.
        count: rows of a file counted another way; ``None`` where that cannot be said.
    """

    make: Callable[[np.random.Generator], bytes]
    read: Callable[[Path], tuple[int, int, int]]
    count: Callable[[bytes], int | None]


def make_stockholm(stream):
    entries = []
    for number in range(3):
        rows = []
        for row in range(4):
            letters = [c if stream.random() < 0.8 else "." for c in random_sequence(stream, 40)]
            length = 40 - letters.count(".")
            rows.append(
                (f"N{row}_X/{row + 1}-{row + length}", f"P{number}{row}.1", "".join(letters))
            )
        entries.append(
            f"# STOCKHOLM 1.0\n#=GF ID   F{number}\n#=GF AC   PF{number:05d}.3\n#=GF GA   20.0;\n"
            + "".join(f"#=GS {name:<12} AC {accession}\n" for name, accession, _ in rows)
            + "".join(f"{name:<20}{aligned}\n" for name, _, aligned in rows)
            + f"{'#=GC seq_cons':<20}{'x' * 40}\n//\n"
        )
    return "".join(entries).encode()


def read_seed(path):
    output = path.parent / "domains.parquet"
    seed = parse_seed(path, output, Limits(5, 0.5, 1.0))
    assert output.exists()
    output.unlink()
    return seed.rows, seed.domains, len(seed.rejects)


def count_stockholm(raw):
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    inside = [line for line in lines if line != b"//" and not line.startswith(b"#")]
    # Behind a blank line a row may continue another.
    between = b"\n".join(lines).strip().replace(b"//\n\n", b"//\n")
    return None if re.search(rb"\n\s*\n", between) else sum(bool(line.strip()) for line in inside)


def make_fasta(stream):
    return "".join(
        f">P{i}/1-30 F{i % 3} text\n{random_sequence(stream, 20)}\n{random_sequence(stream, 10)}\n"
        for i in range(12)
    ).encode()


def make_tsv(stream):
    rows = "".join(f"F{i % 3}\t{random_sequence(stream, 30)}\tmore\n" for i in range(12))
    return f"family_accession\tsequence\textra\n{rows}".encode()


def make_coordinates(stream):
    rows = "".join(f"P{i % 4}\t{i + 1}\t{i + 20}\tF{i % 3}\n" for i in range(12))
    return f"protein\tstart\tend\tfamily\n{rows}".encode()


def read_own(path):
    proteins = {f"P{i}": "ACDEFGHIKL" * 5 for i in range(4)}
    found = read_labelled(path, proteins)
    return found.rows, sum(len(f.rows) for f in found.families.values()), len(found.rejects)


def count_labels(raw):
    return sum(line.startswith(b">") for line in re.split(rb"\r\n|\r|\n", raw))


def count_lines(raw):
    """Lines with anything but white space, without the header."""
    lines = re.split(r"\r\n|\r|\n", raw.decode("latin-1"))
    return sum(bool(line.strip()) for line in lines) - 1


def make_clans(stream):
    return "".join(f"PF{i:05d}\tCL{i % 4:04d}\tname\tF{i}\ttext\n" for i in range(20)).encode()


def one_by_one(reader):
    """A reader that keeps every row or none."""

    def read(path):
        rows = len(list(reader(path)))
        return rows, rows, 0

    return read


FORMATS = {
    "stockholm": Format(make_stockholm, read_seed, count_stockholm),
    "own stockholm": Format(make_stockholm, read_own, count_stockholm),
    "own fasta": Format(make_fasta, read_own, count_labels),
    "own tsv": Format(make_tsv, read_own, count_lines),
    "own coordinates": Format(make_coordinates, read_own, count_lines),
    "fasta": Format(make_fasta, one_by_one(read_fasta), count_labels),
    "proteins": Format(make_fasta, one_by_one(read_proteins), count_labels),
    "clans": Format(make_clans, one_by_one(read_clans), lambda raw: None),
}


def mutated(raw: bytes, stream: np.random.Generator) -> bytes:
    """One to three random changes of bytes or lines."""
    for _ in range(stream.integers(1, 4)):
        raw = CHANGES[stream.integers(len(CHANGES))](raw, stream)
    return raw


def span(raw, stream):
    start = int(stream.integers(0, len(raw) + 1))
    return start, min(len(raw), start + int(stream.geometric(0.1)))


def flip(raw, stream):
    data = bytearray(raw)
    if data:
        data[stream.integers(len(data))] = stream.integers(256)
    return bytes(data)


def cut(raw, stream):
    start, end = span(raw, stream)
    return raw[:start] + raw[end:]


def repeat(raw, stream):
    start, end = span(raw, stream)
    return raw[:end] + raw[start:end] + raw[end:]


def truncate(raw, stream):
    return raw[: stream.integers(0, len(raw) + 1)]


def insert(raw, stream):
    start, _ = span(raw, stream)
    pieces = [b"\n", b"\n\n", b"//\n", b"# STOCKHOLM 1.0\n", b">", b"\t", b" ", b"\x00", b"\r\n",
              b"*", b"\xff\xfe", b"9" * 30, b"/1-5", b"-", b"X" * 40, "é".encode(), b"#=GS x AC\n",
              b"#=GF AC\n", bytes(stream.integers(0, 256, 8).tolist())]  # fmt: skip
    return raw[:start] + pieces[stream.integers(len(pieces))] + raw[start:]


def swap_lines(raw, stream):
    lines = raw.split(b"\n")
    i, j = stream.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def drop_line(raw, stream):
    lines = raw.split(b"\n")
    del lines[stream.integers(len(lines))]
    return b"\n".join(lines)


def repeat_line(raw, stream):
    lines = raw.split(b"\n")
    i, j = stream.integers(len(lines), size=2)
    return b"\n".join([*lines[:i], lines[j], *lines[i:]])


def other_line_ends(raw, stream):
    return raw.replace(b"\n", [b"\r\n", b"\r"][stream.integers(2)])


CHANGES = [flip, cut, repeat, truncate, insert, swap_lines, drop_line, repeat_line, other_line_ends]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_are_read_in_full_or_refused_with_their_line(tmp_path, name, packed):
    form = FORMATS[name]
    # zlib.crc32: a seed of the format's own, so that adding one changes no other.
    stream = np.random.default_rng([zlib.crc32(name.encode()), packed])
    path = tmp_path / ("file.gz" if packed else "file")
    read = refused = 0
    for number in range(FILES):
        raw = mutated(form.make(stream), stream)
        content = raw
        if packed:
            content = gzip.compress(raw, mtime=0)
            if number % 2:
                content, raw = mutated(content, stream), None
        path.write_bytes(content)
        try:
            rows, kept, rejected = form.read(path)
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and re.search(r"\bline \d+", str(error)), error
        except Exception as error:
            raise AssertionError(f"file {number}: {error!r}\n{content!r}") from error
        else:
            read += 1
            assert rows == kept + rejected
            counted = None if raw is None else form.count(raw)
            assert counted is None or rows == counted, (number, rows, counted, raw)
    assert read > FILES // 20 and refused, (read, refused)


@pytest.mark.parametrize("name", FORMATS)
def test_intact_files_are_read_without_rejects(tmp_path, name, stream):
    path = tmp_path / "file"
    raw = FORMATS[name].make(stream)
    path.write_bytes(raw)
    rows, kept, rejected = FORMATS[name].read(path)
    assert rows == kept > 0 == rejected
    assert FORMATS[name].count(raw) in (None, rows)


def test_mutated_seeds_are_read_alike_at_once_and_row_by_row(tmp_path, stream, monkeypatch):
    path, at_once = tmp_path / "file", seeds.read_at_once
    compared = 0
    for number in range(FILES // 3):
        path.write_bytes(mutated(make_stockholm(stream), stream))
        read = []
        for reader in (at_once, lambda *_: []):
            monkeypatch.setattr(seeds, "read_at_once", reader)
            try:
                seed = parse_seed(path, tmp_path / "domains", Limits(5, 0.5, 1.0))
                domains = read_table("domains", tmp_path / "domains")
                read.append([domains, seed.families, seed.rejects])
            except InputError as error:
                read.append(str(error))
        if isinstance(read[0], str) or isinstance(read[1], str):
            assert read[0] == read[1], number
            continue
        compared += 1
        for one, other in zip(*read, strict=True):
            assert one.equals(other), (number, one, other)
    assert compared > 8
