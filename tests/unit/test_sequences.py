import gzip

import numba
import numpy as np
import pytest
from Bio import AlignIO, SeqIO
from numba.core import caching

from conftest import random_sequence
from pfamformer.compiled import compiled
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import encode
from pfamformer.sequences.fasta import read_fasta, write_fasta
from pfamformer.sequences.shards import TokenShards, write_index
from pfamformer.sequences.stockholm import read_blocks, read_stockholm
from token_shards import write_shard

STOCKHOLM = """# STOCKHOLM 1.0
#=GF ID   One
#=GF AC   PF00001.1
#=GF DE   First family
P1.1/1-4      AC.DE
#=GS P1.1/1-4 AC P1.1
P2.1/2-5      A.CDE
#=GC seq_cons A.CDE
//
# STOCKHOLM 1.0
#=GF ID   Two
#=GF AC   PF00002.2
P3.1/1-6      ACD
P4.1/3-7      A.D

P3.1/1-6      EFG
P4.1/3-7      EFG
//
"""


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["seed.sto", "seed.sto.gz"])
def test_stockholm_agrees_with_biopython(tmp_path, name):
    path = write(tmp_path / name, STOCKHOLM)
    plain = write(tmp_path / "plain.sto", STOCKHOLM)
    expected = [
        [(row.id, str(row.seq)) for row in alignment]
        for alignment in AlignIO.parse(plain, "stockholm")
    ]
    found = [
        # Biopython fills gaps of '.' with '-'.
        [(row.name, row.aligned.replace(".", "-")) for row in entry.rows]
        for entry in read_stockholm(path)
    ]
    # Biopython cuts "/start-end" off the names.
    stripped = [[(n.split("/")[0], s) for n, s in rows] for rows in found]
    wanted = [[(n.split("/")[0], s) for n, s in rows] for rows in expected]
    assert stripped == wanted
    assert [e.accession for e in read_stockholm(path)] == ["PF00001.1", "PF00002.2"]


def test_entries_end_wherever_their_last_line_stands(tmp_path):
    # Bytes are looked at many at a time: the end falls on each of their borders.
    entries = [f"# STOCKHOLM 1.0\n#=GF DE   http://{'a' * size}\n//\n" for size in range(300)]
    path = write(tmp_path / "seed.sto", "".join(entries))
    blocks = list(read_blocks(path))
    assert [bytes(b.text).decode() + "//\n" for b in blocks] == entries
    assert [b.line for b in blocks] == list(range(1, 3 * len(entries), 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P1.1/1-4 ACDE\n", "line 1: text outside an entry"),
        (
            "# STOCKHOLM 1.0\n#=GF AC PF1.1\nP1.1/1-2 AC\n",
            "line 3: the entry that starts at line 1 has no closing",
        ),
        ("# STOCKHOLM 1.0\nP1.1/1-2 AC\n# STOCKHOLM 1.0\n//\n", "no closing"),
    ],
)
def test_broken_stockholm_is_refused_with_its_line(tmp_path, text, message):
    path = write(tmp_path / "seed.sto", text)
    with pytest.raises(InputError) as error:
        list(read_stockholm(path))
    assert message in str(error.value)
    assert "seed.sto" in str(error.value)


@pytest.mark.parametrize("reader", [read_stockholm, read_fasta])
def test_truncated_gzip_is_one_clear_message(tmp_path, stream, reader):
    text = STOCKHOLM if reader is read_stockholm else ""
    text += "".join(f">p{i}\n{random_sequence(stream, 300)}\n" for i in range(300))
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(text.encode())[: -len(text) // 4])
    with pytest.raises(InputError) as error:
        for _ in reader(path):
            pass
    if reader is read_fasta:
        assert "truncated or damaged" in str(error.value)
    assert "file.gz" in str(error.value)


def test_missing_file(tmp_path):
    for reader in (read_stockholm, read_fasta):
        with pytest.raises(InputError, match="no such file"):
            list(reader(tmp_path / "absent.gz"))


def test_fasta_round_trip_agrees_with_biopython(tmp_path, stream):
    records = [(f"P{i}.1 name", random_sequence(stream, 1 + 37 * i)) for i in range(20)]
    path = tmp_path / "proteins.fasta.gz"
    assert write_fasta(path, records) == 20
    assert list(read_fasta(path)) == records
    with gzip.open(path, "rt") as text:
        assert [(r.description, str(r.seq)) for r in SeqIO.parse(text, "fasta")] == records
    first = path.read_bytes()
    write_fasta(path, records)
    assert path.read_bytes() == first  # no time stamp inside


def test_shards_hold_what_was_written(tmp_path, stream):
    sequences = [random_sequence(stream, int(n)) for n in stream.integers(1, 200, 50)]
    entries = [
        write_shard(tmp_path, "a", sequences[:30]),
        write_shard(tmp_path, "empty", []),
        write_shard(tmp_path, "b", sequences[30:]),
    ]
    write_index(tmp_path, entries, {})
    shards = TokenShards(tmp_path)
    assert len(shards) == 50
    assert shards.lengths.tolist() == [len(s) for s in sequences]
    for i, sequence in enumerate(sequences):
        assert np.array_equal(shards[i], encode(sequence))
    joined = encode("".join(sequences))
    assert np.array_equal(shards.residue_counts(), np.bincount(joined, minlength=33))


def test_changed_shard_is_noticed(tmp_path):
    write_index(tmp_path, [write_shard(tmp_path, "a", ["MKTAY", "ACDEF"])], {})
    tokens = tmp_path / "a.tokens"
    tokens.write_bytes(tokens.read_bytes()[::-1])
    with pytest.raises(InputError, match="checksum"):
        TokenShards(tmp_path)
    tokens.write_bytes(b"")
    with pytest.raises(InputError, match="0 bytes, the index says 10"):
        TokenShards(tmp_path)


def test_functions_are_compiled_where_no_folder_can_be_written(monkeypatch):
    # Numba asks these for a folder; in a read-only container without a home none has one.
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(divmod_of)
    assert compiled(divmod_of)(17, 5) == (3, 2)


def divmod_of(a, b):
    return a // b, a % b
