import gzip
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xxhash
from Bio import SeqIO

from conftest import mutate, random_sequence, run_script
from pfamformer.config import HomologueSettings
from pfamformer.errors import InputError
from pfamformer.families.clusters import beyond, surplus_members
from pfamformer.families.corpora import (
    Limits,
    Selection,
    duplicates,
    is_validation,
)
from pfamformer.families.corpus_index import join_shards
from pfamformer.families.corpus_shard import write_domain_shard, write_protein_shard
from pfamformer.families.held_out import HeldOut
from pfamformer.families.homologues import (
    certify_shards,
    homologues,
    join_certificates,
    refuse_homologues,
)
from pfamformer.sequences.alphabet import decode, encode
from pfamformer.sequences.blocks import Block, blocks_of, drawn, offsets_of
from pfamformer.sequences.fasta_blocks import fasta_blocks
from pfamformer.sequences.hashing import hashes_of
from pfamformer.sequences.shards import MOST_PENDING, MappedShard, TokenShards, write_index
from pfamformer.tables import write_table
from token_shards import write_shard


def one_block(sequences):
    return next(blocks_of(sequences))


def chosen(block, wanted):
    """The sequences of a block that are wanted, as another."""
    return Block(np.concatenate([*block.runs(wanted)]), offsets_of(block.lengths[wanted]))


def texts(blocks):
    return [
        decode(block.tokens[start:end])
        for block in blocks
        for start, end in zip(block.offsets[:-1], block.offsets[1:], strict=True)
    ]


@pytest.mark.parametrize("size", [17, 64, 1000, 1 << 22])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.fasta", "a.fasta.gz"])
def test_blocks_agree_with_biopython_whatever_their_size(tmp_path, stream, size, ending, name):
    records = []
    for i, length in enumerate(stream.integers(0, 300, 60)):
        sequence = random_sequence(stream, int(length))
        width = int(stream.integers(1, 80))
        lines = [sequence[j : j + width] for j in range(0, len(sequence), width)]
        records.append(ending.join([f">P{i} a > in a header", *lines, *([""] * (i % 3 == 0))]))
    text = ending.join(records) + ending * int(stream.integers(0, 2))
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    plain = tmp_path / "plain"
    plain.write_text(text.replace("\r", ""))
    expected = [str(record.seq) for record in SeqIO.parse(plain, "fasta")]
    assert len(expected) == 60
    assert texts(fasta_blocks(path, size)) == expected


@pytest.mark.parametrize("text", ["MKTAY\n>P1\nMKT\n", "\n>P1\nMKT\n", "@P1\nMKT\n+\nIII\n"])
def test_what_is_no_fasta_is_refused(tmp_path, text):
    (tmp_path / "a.fasta").write_text(text)
    with pytest.raises(InputError, match=r"a\.fasta.*does not start with '>'"):
        list(fasta_blocks(tmp_path / "a.fasta"))


def test_truncated_and_missing_files_are_one_clear_message(tmp_path, stream):
    text = "".join(f">p{i}\n{random_sequence(stream, 300)}\n" for i in range(3000))
    path = tmp_path / "a.fasta.gz"
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"a\.fasta\.gz.*truncated or damaged"):
        list(fasta_blocks(path, 1 << 16))
    path.write_bytes(packed[:5000] + b"\0" * 200 + packed[5200:])
    with pytest.raises(InputError, match=r"a\.fasta\.gz.*truncated or damaged"):
        list(fasta_blocks(path, 1 << 16))
    with pytest.raises(InputError, match="no such file"):
        list(fasta_blocks(tmp_path / "absent.gz"))


def test_every_sequence_left_out_is_counted_by_reason():
    proteins = ["M" * 30, "MK*" * 10, "M" * 5, "M" * 80, "MX" * 20, "M" * 30, "MKTB" * 8]
    select = Selection(None, Limits(20, 60, 0.3))
    kept = texts(chosen(block, kept) for block, _, kept in select([one_block(proteins)]))
    assert kept == ["M" * 30, "M" * 30, "MKTB" * 8]
    assert select.counts == {
        "read": 7, "invalid_residue": 1, "too_short": 1, "too_long": 1, "ambiguous": 1,
        "outside_fraction": 0, "holds_held_out_domain": 0, "kept": 3,
    }  # fmt: skip


def test_hashes_are_those_of_the_reference(stream):
    proteins = [random_sequence(stream, length) for length in [*range(100), 1000]]
    expected = [xxhash.xxh64_intdigest(encode(protein).tobytes()) for protein in proteins]
    assert hashes_of(one_block(proteins)).tolist() == expected
    assert hashes_of(one_block(["", "", "MK"])).tolist()[0] == expected[0]


def test_fraction_depends_on_the_sequence_and_not_on_validation(stream):
    block = one_block([random_sequence(stream, 30) for _ in range(8000)])
    select = Selection(None, Limits(fraction=0.25))
    [(block, hashes, inside)] = select([block])
    kept, hashes = chosen(block, inside), hashes[inside]
    assert 0.23 < len(kept) / len(block) < 0.27
    assert np.array_equal(hashes_of(kept), hashes)
    [(_, _, again)] = Selection(None, Limits(fraction=0.25))([kept])
    assert again.all()
    # The validation sequences of a fraction are the same share of it.
    assert 0.08 < is_validation(hashes, 0.1).mean() < 0.12
    assert not drawn(hashes, 0.0, 1).any() and drawn(hashes, 1.0, 1).all()


def test_held_out_domains_are_found_as_a_plain_text_search_finds_them(stream):
    # Six letters only, so that domains share their first residues and come by chance.
    letters = list("LAGKMW")
    word = lambda n: "".join(stream.choice(letters, n))  # noqa: E731
    domains = [word(int(n)) for n in stream.integers(4, 16, 60)] + ["L" * 12, "AGVSERTI", "MW"]
    proteins = [word(int(n)) for n in stream.integers(0, 60, 400)]
    proteins += [word(5) + d + word(7) for d in domains] + [d[:-1] for d in domains]
    # A domain that lies across the border of two sequences is in neither.
    proteins += ["AGVS", "ERTI", "LLLLLL", "LLLLLL"]
    found = HeldOut(domains[:-1]).contained_in(one_block(proteins))
    expected = [any(d in p for d in domains[:-1]) for p in proteins]
    assert found.tolist() == expected
    assert 60 < sum(expected) < len(proteins)
    assert HeldOut(["MW"]).contained_in(one_block(["M", "W", "AMWA"])).tolist() == [0, 0, 1]
    assert not HeldOut([]).contained_in(one_block(proteins)).any()


@pytest.mark.parametrize("length", [1, 7, 8, 9, 10, 11, 12, 14, 15, 16, 40])
def test_held_out_domains_of_any_length_are_found_wherever_they_stand(stream, length):
    root = random_sequence(stream, length)
    # Domains that begin alike: their words lead to the same place of the look-up.
    domains = [root, root + "W", root[:-1] + "C", *(random_sequence(stream, 30) for _ in range(99))]
    around = [random_sequence(stream, 12) for _ in range(12)]
    proteins = [a[:i] + root + a[:j] for i, a in enumerate(around) for j in (0, 5)]
    proteins += [root[:-1], root[1:], root[: length // 2], root[length // 2 :], *around, ""]
    for held_out in (domains, [d for d in domains if d != root]):
        expected = [any(domain in protein for domain in held_out) for protein in proteins]
        assert HeldOut(held_out).contained_in(one_block(proteins)).tolist() == expected


@pytest.mark.parametrize("most", [3, 100, 1 << 24])
def test_duplicates_agree_with_pandas(stream, most):
    shards = [stream.integers(0, 2**64, 70, dtype=np.uint64) for _ in range(4)]
    shards[1][:30], shards[3][10:50], shards[0][7] = shards[0][:30], shards[3][20:60], shards[0][3]
    shards.insert(2, np.zeros(0, np.uint64))
    frame = pd.DataFrame(
        [(s, r, h) for s, shard in enumerate(shards) for r, h in enumerate(shard.tolist())],
        columns=["shard", "row", "hash"],
    )
    late = frame[frame["hash"].duplicated()]
    expected = [late.loc[late["shard"] == s, "row"].tolist() for s in range(5)]
    assert [rows.tolist() for rows in duplicates(shards, most)] == expected


def test_a_corpus_of_shards_has_each_sequence_once(tmp_path, stream):
    proteins = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, 400)]
    held_out = [proteins[5][3:18]]
    chunks = [[*proteins[:250], proteins[3]], [*proteins[200:], "MK"]]
    entries = []
    for i, chunk in enumerate(chunks):
        select = Selection(HeldOut(held_out), Limits(min_length=20))
        entries.append(write_protein_shard(tmp_path, f"p{i}", blocks_of(chunk, 37), select, 0.2))
    counts = join_shards(tmp_path, entries, {"surplus": {"p0": np.array([0, 2])}})
    assert counts == {
        "read": 452, "invalid_residue": 0, "too_short": 1, "too_long": 0, "ambiguous": 0,
        "outside_fraction": 0, "holds_held_out_domain": 1, "duplicate": 51, "surplus": 2,
        "kept": 397,
    }  # fmt: skip
    parts = {part: TokenShards(tmp_path / part) for part in ("train", "valid")}
    read = {part: [decode(s[i]) for i in range(len(s))] for part, s in parts.items()}
    assert (
        len(set(read["train"] + read["valid"])) == 397 == len(parts["train"]) + len(read["valid"])
    )
    assert set(read["train"] + read["valid"]) < set(proteins) - {proteins[5]}
    for part, shards in parts.items():
        assert shards.lengths.tolist() == [len(s) for s in read[part]]
        joined = encode("".join(read[part]))
        assert np.array_equal(shards.residue_counts(), np.bincount(joined, minlength=33))
        assert shards.index["residues"] == len(joined)
        assert shards.index["sequences"] == len(shards)


def test_development_domains_validate_and_test_domains_are_nowhere(tmp_path, stream):
    domains = pd.Series([random_sequence(stream, 40) for _ in range(60)])
    part = pd.Series(["train"] * 40 + ["dev"] * 10 + ["test"] * 10)
    domains[1], domains[2] = domains[45], "M" + domains[55] + "K"
    select = Selection(HeldOut(domains[part != "train"]), Limits(min_length=20))
    entry = write_domain_shard(tmp_path, "all", domains, part, select)
    assert (entry["train"]["sequences"], entry["valid"]["sequences"]) == (38, 10)
    assert entry["counts"]["holds_held_out_domain"] == 2
    assert entry["counts"]["read"] == 50


def test_script_streams_a_chunk_and_leaves_no_file_when_it_fails(tmp_path, stream):
    fasta, held = tmp_path / "p1.fasta.gz", tmp_path / "held_out.parquet"
    proteins = [random_sequence(stream, 60) for _ in range(500)]
    text = "".join(f">UPI{i}\n{s[:30]}\n{s[30:]}\n" for i, s in enumerate(proteins))
    packed = gzip.compress(text.encode())
    columns = ["id", "protein", "start", "end", "family", "clan", "sequence"]
    domain = ("a", "P", 1, 20, "PF", "", proteins[9][10:40])
    write_table(pd.DataFrame([domain], columns=columns), "domains", held)
    arguments = [
        "--held-out", held, "--fasta", fasta, "--min-length", 20, "--max-length", 100,
        "--max-ambiguous", 0.1, "--fraction", 1, "--valid-share", 0.1, "--name", "p1",
        "--folder", tmp_path / "corpus",
    ]  # fmt: skip
    fasta.write_bytes(packed[:-3000])
    ended = run_script("corpus_shard", *arguments)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "truncated or damaged" in ended.stderr
    assert not [path for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    fasta.write_bytes(packed)
    assert run_script("corpus_shard", *arguments).returncode == 0
    shard = tmp_path / "corpus" / "shards" / "p1.json"
    joined = run_script("corpus_index", "--shards", shard, "--folder", tmp_path / "corpus")
    assert joined.returncode == 0, joined.stderr
    counts = json.loads((tmp_path / "corpus/train/index.json").read_text())["selection"]
    assert (counts["read"], counts["kept"], counts["holds_held_out_domain"]) == (500, 499, 1)


def test_memory_does_not_grow_with_the_file(tmp_path, stream):
    record = f">p\n{random_sequence(stream, 300)}\n"
    peaks = []
    for copies in (4000, 40_000):
        path = tmp_path / f"{copies}.fasta"
        path.write_text(record * copies)
        select = Selection(None, Limits())
        tracemalloc.start()
        write_protein_shard(tmp_path, str(copies), fasta_blocks(path, 1 << 18), select, 0.01)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # How many blocks wait to be written is chance, but few can; the files differ by 11 MB.
    assert peaks[1] < peaks[0] + MOST_PENDING * (1 << 19)


def test_homologues_of_held_out_domains_leave_a_corpus_and_the_certificate_agrees(tmp_path, stream):
    domains = [random_sequence(stream, 100) for _ in range(3)]
    held_out = pd.DataFrame({"id": ["a", "b", "c"], "sequence": domains})
    proteins = [random_sequence(stream, 250) for _ in range(30)]
    # Half of the residues redrawn: no stretch of the domain is left that a text search would find.
    far = [random_sequence(stream, 40) + mutate(stream, d, 0.5) + "MKV" for d in domains]
    short = [random_sequence(stream, 90) + mutate(stream, domains[0][:50], 0.2)]
    sequences = [*proteins[:10], *far, *short, *proteins[10:]]
    assert not HeldOut(domains).contained_in(one_block(sequences)).any()
    entry = write_shard(tmp_path / "train", "p1", sequences)
    settings = HomologueSettings(prefilter="none", min_bits=30)
    before = certify_shards(tmp_path / "train", [entry], held_out, settings, 1)
    assert (before["sequences"], before["leaking_sequences"]) == (34, 3)
    assert {e["sequence"] for e in before["examples"]} == {10, 11, 12}

    found = homologues(MappedShard(tmp_path / "train", entry), held_out, settings, 1)
    assert found["row"].tolist() == [10, 11, 12] and found["domain"].tolist() == ["a", "b", "c"]
    valid = write_shard(tmp_path / "valid", "p1", [])
    counts = dict.fromkeys(("read", "kept"), 34) | {"holds_held_out_domain": 0}
    rows = {"homologue_of_held_out": {"p1": found["row"].to_numpy()}}
    joined = join_shards(tmp_path, [{"counts": counts, "train": entry, "valid": valid}], rows)
    assert (joined["homologue_of_held_out"], joined["kept"]) == (3, 31)
    index = TokenShards(tmp_path / "train").index
    after = certify_shards(tmp_path / "train", index["shards"], held_out, settings, 1)
    assert (after["sequences"], after["leaking_sequences"]) == (31, 0)
    whole = join_certificates([before, after], settings, 3, index["selection"])
    assert (whole["leaking_sequences"], whole["left_out_as_homologue"]) == (3, 3)
    with pytest.raises(InputError, match="3 training sequences hold a homologue of a held-out"):
        refuse_homologues(whole, "index.json")
    refuse_homologues(join_certificates([after], settings, 3, index["selection"]), "index.json")
    assert join_certificates([], None, 3, index["selection"])["leaking_sequences"] is None


def test_a_corpus_with_a_homologue_gets_no_certificate(tmp_path, stream):
    domain = random_sequence(stream, 100)
    held_out = pd.DataFrame([("d", "P.1", 1, 100, "F", "", domain)])
    held_out.columns = ["id", "protein", "start", "end", "family", "clan", "sequence"]
    write_table(held_out, "domains", tmp_path / "held_out.parquet")
    entry = write_shard(tmp_path / "train", "p1", [mutate(stream, domain, 0.4)])
    write_index(tmp_path / "train", [entry], {"selection": {"holds_held_out_domain": 0}})
    index = tmp_path / "train/index.json"
    definition = HomologueSettings(prefilter="none").model_dump_json()
    shared = ["--index", index, "--held-out", tmp_path / "held_out.parquet", "--definition"]
    found = tmp_path / "0.json"
    batch = ["--batch", 0, "--size", 1, "--output", found]
    assert run_script("corpus_certificate", *shared, definition, *batch).returncode == 0
    written = ["--found", found, "--output", tmp_path / "leakage.json"]
    ended = run_script("corpus_leakage", *shared, definition, *written)
    assert ended.returncode == 1 and "1 training sequences hold a homologue" in ended.stderr
    assert not (tmp_path / "leakage.json").exists()


@pytest.mark.parametrize("members", [1, 2, 5])
def test_members_beyond_the_first_distinct_ones_agree_with_pandas(stream, members):
    clusters, hashes = stream.integers(0, 12, 200), stream.integers(0, 40, 200).astype(np.uint64)
    frame = pd.DataFrame({"cluster": clusters, "hash": hashes})
    rank = frame.groupby("cluster")["hash"].rank(method="dense")
    assert np.array_equal(beyond(clusters, hashes, members), rank > members)


def test_linclust_leaves_one_sequence_of_each_cluster(tmp_path, stream):
    ancestors = [random_sequence(stream, 150) for _ in range(12)]
    sequences = [mutate(stream, a, 0.05) for a in ancestors for _ in range(4)]
    order = stream.permutation(len(sequences))
    shuffled = [sequences[i] for i in order]
    shards = [
        write_shard(tmp_path, "p1", shuffled[:20]),
        write_shard(tmp_path, "p2", shuffled[20:]),
    ]
    settings = {"min_identity": 0.5, "min_coverage": 0.8, "members": 1, "threads": 1}
    lost = surplus_members(tmp_path, shards, {}, **settings)
    gone = {int(row) + 20 * (shard == "p2") for shard, row in lost.itertuples(index=False)}
    kept = [order[i] // 4 for i in range(48) if i not in gone]
    assert sorted(kept) == list(range(12))
    # Left out for another reason, those that were kept do not take their clusters with them.
    others = np.array(sorted(set(range(48)) - gone))
    without = {"p1": others[others < 20], "p2": others[others >= 20] - 20}
    again = surplus_members(tmp_path, shards, without, **settings)
    gone = {int(row) + 20 * (shard == "p2") for shard, row in again.itertuples(index=False)}
    assert not gone & set(others.tolist())
    left = set(range(48)) - gone - set(others.tolist())
    assert sorted(order[i] // 4 for i in left) == list(range(12))
