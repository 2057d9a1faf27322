import gzip

import pandas as pd
import pytest
from Bio import AlignIO

from conftest import mutate, random_sequence, run_script, shared_data
from pfamformer.errors import InputError
from pfamformer.families.proteins import full_length
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.sources.labelled import read_labelled, read_proteins
from pfamformer.sources.own import align, draw
from pfamformer.tables import read_table


def bring(folder, name, text, *arguments, proteins=None):
    """Run the script; returns the domain table that the workflow would make of it."""
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    arguments = [*arguments, "--families", path]
    if proteins is not None:
        (folder / "proteins.fasta").write_text(proteins)
        arguments += ["--proteins", folder / "proteins.fasta"]
    ended = run_script(
        "own_families", *arguments, "--seed-alignments", folder / "seed.gz",
        "--pfamseq", folder / "pfamseq.gz", "--rejects", folder / "rejects.tsv",
    )  # fmt: skip
    assert "Traceback" not in ended.stderr, ended.stderr
    if ended.returncode:
        raise ValueError(ended.stderr)
    return domains_of(folder)


def domains_of(folder):
    parse_seed(folder / "seed.gz", folder / "d", Limits(1, 1.0, 0.0))
    full_length(folder / "d", folder / "pfamseq.gz", folder / "p")
    return read_table("domains", folder / "d")


@pytest.mark.parametrize("name", ["own.tsv", "own.tsv.gz"])
def test_tsv(tmp_path, name):
    text = "extra\tfamily_accession\tsequence\n1\tA\tMKVLAUOW\n2\tA\tMKVLAW\n3\tB.2\tmkv\n"
    domains = bring(tmp_path, name, text)
    assert domains["id"].tolist() == ["A/L2.1/1-8", "A/L3.1/1-6", "B.2/L4.1/1-3"]
    assert domains["sequence"].tolist() == ["MKVLAUOW", "MKVLAW", "MKV"]
    with gzip.open(tmp_path / "seed.gz", "rt") as file:
        assert [len(a) for a in AlignIO.parse(file, "stockholm")] == [2, 1]


def test_fasta_aligned_and_not(tmp_path):
    text = ">x A\nMK-VL\n>y A more words\nMKW\nVL\n>x B\nMKVLL\n>z/3-9 B\nMKL\n"
    domains = bring(tmp_path, "own.fasta", text)
    assert domains["id"].tolist() == ["A/x.1/1-4", "A/y.1/1-5", "B/x_L6.1/1-5", "B/z_3-9.1/1-3"]
    with gzip.open(tmp_path / "seed.gz", "rt") as file:
        first, _ = AlignIO.parse(file, "stockholm")
    assert [str(row.seq) for row in first] == ["MK-VL", "MKWVL"]  # as the file aligned it


def test_stockholm_with_and_without_proteins(tmp_path):
    text = ("# STOCKHOLM 1.0\n#=GF ID one\n#=GF AC F1.1\n#=GF DE A family\n#=GF CL CL1\n"
            "#=GS N_X/2-4 AC P1.3\nN_X/2-4  MKV.\nP2/1-4   MKVL\n//\n")  # fmt: skip
    domains = bring(tmp_path, "own.sto", text)
    assert domains["id"].tolist() == ["F1.1/P1.3_2-4.1/1-3", "F1.1/P2_1-4.1/1-4"]
    assert set(domains["clan"]) == {"CL1"}
    domains = bring(tmp_path, "own.sto", text, proteins=">P1.3 x\nAMKVW\n>P2 y\nMKVLA\n")
    assert domains["id"].tolist() == ["F1.1/P1.3/2-4", "F1.1/P2.1/1-4"]


def test_coordinates_and_their_rejects(tmp_path):
    rows = ["P1\t2\t4\tA", "P1\t4\t9\tA", "P9\t1\t2\tA", "P1\tx\t2\tA", "P1\t1\t3", "P1\t1\t3\tA B"]
    text = "protein\tstart\tstop\tpfam\n" + "\n".join(rows) + "\n"
    options = ("--columns", "end=stop", "family=pfam", "--max-reject-share", 0.9)
    domains = bring(tmp_path, "own.tsv", text, *options, proteins=">P1\nMKVLA\n")
    assert domains[["id", "sequence"]].values.tolist() == [["A/P1.1/2-4", "KVL"]]
    rejects = pd.read_csv(tmp_path / "rejects.tsv", sep="\t")
    assert rejects["line"].tolist() == [3, 4, 5, 6, 7]
    words = ["coordinates", "unknown protein", "coordinates", "columns", "bad family"]
    assert [reason.split(":")[0] for reason in rejects["reason"]] == words
    with pytest.raises(ValueError, match=r"own.tsv, line 3, family A, row P1/4-9: 5 of 6 rows"):
        bring(tmp_path, "own.tsv", text, *options[:3], proteins=">P1\nMKVLA\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file is empty"),
        ("a\tb\nc\td\n", "line 1: neither Stockholm nor FASTA"),
        ("family\tsequence\nA\tM*K\n", "line 2: no usable row; the first: bad characters"),
        (">x\nMKV\n", "line 1: no usable row; the first: bad family"),
        ("# STOCKHOLM 1.0\n#=GF AC A\nx MK\n", "has no closing"),
        ("# STOCKHOLM 1.0\n#=GF AC A\nx MK\n//\n# STOCKHOLM 1.0\n#=GF AC A\nx MK\n//\n",
         "line 5: a family A came before"),
    ],
)  # fmt: skip
def test_other_files_are_refused_with_their_line(tmp_path, text, message):
    (tmp_path / "own").write_text(text)
    with pytest.raises(InputError, match=message):
        read_labelled(tmp_path / "own")


def test_columns_that_are_not_there(tmp_path):
    (tmp_path / "own").write_text("family\tsequence\nA\tMK\n")
    with pytest.raises(InputError, match=r"no column 'pfam', only family, sequence"):
        read_labelled(tmp_path / "own", columns={"family": "pfam"})


def test_alignment_keeps_every_letter(tmp_path, stream):
    ancestor = random_sequence(stream, 60)
    sequences = [mutate(stream, ancestor, 0.1)[i:] + "UOJXBZ"[i:] for i in range(5)]
    text = "family\tsequence\n" + "".join(f"A\t{s}\n" for s in sequences)
    (tmp_path / "own").write_text(text)
    rows = read_labelled(tmp_path / "own").families["A"].rows
    aligned = align(rows, 1)
    assert len({len(row) for row in aligned}) == 1
    assert [row.replace(".", "") for row in aligned] == sequences


def test_draw_is_seeded_and_prefers_different_sequences(tmp_path):
    text = "family\tsequence\n" + "A\tMK\n" * 5 + "A\tMKV\nA\tMKL\n" + "B\tMM\n" * 9
    (tmp_path / "own").write_text(text)
    families = read_labelled(tmp_path / "own").families
    (only,) = draw(families, 3, 3, 1)
    assert sorted(row.sequence for row in only.rows) == ["MK", "MKL", "MKV"]
    assert [len(f.rows) for f in draw(families, 1, 100, 1)] == [7, 9]
    picked = {seed: [r.line for r in draw(families, 3, 2, seed)[0].rows] for seed in range(20)}
    assert picked == {seed: [r.line for r in draw(families, 3, 2, seed)[0].rows] for seed in picked}
    assert len(set(map(tuple, picked.values()))) > 1


def test_real_full_length_proteins_keep_their_places(tmp_path):
    folder = shared_data("full_length_domains")
    proteins = read_proteins(folder / "proteins.fasta.gz")
    columns = {"protein": "seq_index", "family": "pfam", "end": "stop"}
    found = read_labelled(folder / "domains.tsv.gz", proteins, columns)
    table = pd.read_csv(folder / "domains.tsv.gz", sep="\t")
    assert (
        found.rows
        == len(table)
        == len(found.rejects) + sum(len(f.rows) for f in found.families.values())
    )
    place = dict(zip((f"{r.seq_index}/{r.start}-{r.stop}" for r in table.itertuples()),
                     table.itertuples(), strict=False))  # fmt: skip
    for family in list(found.families.values())[:50]:
        for row in family.rows:
            given = place[row.name]
            assert proteins[given.seq_index][given.start - 1 : given.stop] == row.sequence
