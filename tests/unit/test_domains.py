import gzip
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from Bio import AlignIO

from conftest import random_sequence, run_script, shared_data
from pfamformer.errors import InputError
from pfamformer.families import seed as seeds
from pfamformer.families.clans import read_clans
from pfamformer.families.proteins import full_length
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.sequences.fasta import write_fasta
from pfamformer.tables import read_table, write_table

ROWS = """P1.1/3-7  ACD.EF
P2.1/1-5  AC.DEF
"""


def seed_file(path, rows=ROWS, accession="PF00001.1"):
    path.write_text(f"# STOCKHOLM 1.0\n#=GF ID One\n#=GF AC {accession}\n#=GF GA 20.0;\n{rows}//\n")
    return path


def parse(path, minimum=1, share=0.0, ambiguous=0.5, clans=None):
    """The domain table and what else a seed brings."""
    output = path.parent / "domains.parquet"
    seed = parse_seed(path, output, Limits(minimum, ambiguous, share), clans)
    domains = read_table("domains", output)
    assert seed.rows == len(domains) + len(seed.rejects) and seed.domains == len(domains)
    return domains, seed


def test_domains_and_families(tmp_path):
    domains, seed = parse(seed_file(tmp_path / "s"))
    assert domains["id"].tolist() == ["PF00001.1/P1.1/3-7", "PF00001.1/P2.1/1-5"]
    assert domains["sequence"].tolist() == ["ACDEF", "ACDEF"]
    assert seed.families.iloc[0].to_dict() == {
        "family": "PF00001.1", "name": "One", "description": "", "clan": "", "gathering": "20.0",
        "domains": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("P3.1/1-4  ACDE", "columns: 4, its alignment has 6"),
        ("P3.1/1-5  AC*DEF", "bad characters: '*' at residue 3"),
        ("P3.1/1-5  XX.XAC", "bad characters: 3 of 5 residues are ambiguous"),
        ("P3.1/1-9  AC.DEF", "coordinates: they span 9, not 5 residues"),
        ("P3.1/5-1  AC.DEF", "coordinates: they span -3, not 5 residues"),
        ("P3/1-5    AC.DEF", "unknown version: P3 is not ACCESSION.version"),
        ("P3.1      AC.DEF", "coordinates: the name is not NAME/start-end"),
        ("P1.1/3-7  ACD.EF", "duplicate: a row of this place came before"),
        ("P3.1/1-2  A....C", "too short: 2 residues, fewer than 3"),
        ("P3.1/1-0  ......", "too short: 0 residues, fewer than 3"),
        ("P3.1/1-5", "columns: 0, its alignment has 6"),
    ],
)
def test_each_kind_of_broken_row_is_found(tmp_path, row, reason):
    path = seed_file(tmp_path / "seed.sto", ROWS + row + "\n")
    domains, seed = parse(path, minimum=3, share=0.5)
    assert len(domains) == 2
    assert reason in seed.rejects.iloc[0]["reason"]
    assert seed.rejects.iloc[0]["line"] == 7
    with pytest.raises(InputError) as error:
        parse(path, minimum=3, share=0.1)
    for part in (str(path), "line 7", "PF00001.1", "1 of 3 rows", reason):
        assert part in str(error.value)


def test_rows_without_a_place_that_copy_another_family_are_called_duplicates(tmp_path):
    path = tmp_path / "s"
    seed_file(path)
    other = seed_file(tmp_path / "t", "P7.1/1-5  AC.CCC\nCOPY      AC.DEF\n", "PF00002.1")
    path.write_text(path.read_text() + other.read_text())
    _, seed = parse(path, share=0.5)
    assert "duplicate: the residues of PF00001.1/P1.1/3-7" in seed.rejects.iloc[0]["reason"]


def test_versions_come_from_accession_lines_and_clans_from_their_file(tmp_path):
    rows = (
        "#=GS A_X/3-7 AC P1.4\n#=GS A_X/3-7 DR PDB; 1ABC A; 1-5;\n#=GF CL CL0001\nA_X/3-7 ACDEF\n"
    )
    path = seed_file(tmp_path / "s", rows)
    assert parse(path)[0].iloc[0][["id", "clan"]].tolist() == ["PF00001.1/P1.4/3-7", "CL0001"]
    clans = tmp_path / "clans.tsv.gz"
    with gzip.open(clans, "wt") as out:
        out.write("PF00001\tCL0009\tname\tOne\ttext\nPF00002\t\t\tTwo\ttext\n")
    domains, seed = parse(path, clans=read_clans(clans))
    assert domains["clan"].tolist() == seed.families["clan"].tolist() == ["CL0009"]
    clans.write_bytes(gzip.compress(b"PF00001\tCL0009\nfamily clan\n"))
    with pytest.raises(InputError, match="line 2"):
        read_clans(clans)


def test_empty_family_empty_file_and_repeated_family(tmp_path):
    with pytest.raises(InputError, match=r"family PF00001.1 at line 1: the family is empty"):
        parse(seed_file(tmp_path / "s", ""))
    (tmp_path / "none").write_text("")
    with pytest.raises(InputError, match="no family"):
        parse(tmp_path / "none")
    path = seed_file(tmp_path / "s")
    path.write_text(path.read_text() * 2)
    with pytest.raises(InputError, match="line 8: a family of this accession came before"):
        parse(path)
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".part"]  # nothing half-written


def pfam_layout(stream, families, rows):
    """Text of entries as Pfam lays them out, with accession lines and residue markup."""
    for number in range(families):
        yield f"# STOCKHOLM 1.0\n#=GF ID   F{number}\n#=GF AC   PF{number:05d}.3\n"
        names, aligned = [], []
        for row in range(rows):
            letters = [c if stream.random() < 0.8 else "." for c in random_sequence(stream, 60)]
            length = 60 - letters.count(".")
            names.append(f"N{row}_ORG/{row + 1}-{row + length}")
            aligned.append("".join(letters))
        yield from (f"#=GS {n:<16} AC P{number}{i}.{i % 3}\n" for i, n in enumerate(names))
        for name, text in zip(names, aligned, strict=True):
            yield f"{name:<24}{text}\n"
            if stream.random() < 0.2:
                yield f"#=GR {name:<16}AS {'.' * 60}\n"
        yield f"{'#=GC seq_cons':<24}{'x' * 60}\n//\n"


def test_reading_at_once_row_by_row_and_by_biopython_agree(tmp_path, stream, monkeypatch):
    path = tmp_path / "s"
    path.write_text("".join(pfam_layout(stream, 5, 20)))
    calls = []
    at_once = seeds.read_at_once
    monkeypatch.setattr(seeds, "read_at_once", lambda *a: calls.append(at_once(*a)) or calls[-1])
    fast, seed = parse(path, share=1)
    assert [rows for rows, _ in itertools.chain.from_iterable(calls)] == [20] * 5
    monkeypatch.setattr(seeds, "read_at_once", lambda *_: [])
    slow, again = parse(path, share=1)
    pd.testing.assert_frame_equal(fast, slow)
    pd.testing.assert_frame_equal(seed.families, again.families)
    records = itertools.chain.from_iterable(AlignIO.parse(path, "stockholm"))
    assert fast["sequence"].tolist() == [str(r.seq).replace("-", "") for r in records]


def plain_rows(text):
    """Family, protein, place and residues of what the rules keep of entries in Pfam's layout."""
    for entry in text.split("//\n")[:-1]:
        lines = [line.split() for line in entry.splitlines()]
        family = next(words[2] for words in lines if words[:2] == ["#=GF", "AC"])
        proteins = {words[1]: words[3] for words in lines if words[0] == "#=GS"}
        rows = [words for words in lines if words and not words[0].startswith("#")]
        widths = [len(words[1]) for words in rows]
        seen = set()
        for name, aligned in rows:
            place = re.fullmatch(r"\S+/([1-9][0-9]*)-([1-9][0-9]*)", name)
            residues = "".join(c for c in aligned if c not in ".-").upper()
            good = (
                place
                and len(aligned) == max(set(widths), key=widths.count)
                and re.fullmatch("[A-Z]*", residues)
                and sum(c in "BJOUXZ" for c in residues) <= 0.1 * len(residues)
                and len(residues) >= 30
                and len(residues) == int(place[2]) - int(place[1]) + 1
            )
            protein = proteins.get(name, name.rpartition("/")[0])
            key = (protein, place and place.groups())
            good = good and re.fullmatch(r"\S*[^\s.]\.[0-9]+", protein) and key not in seen
            if good:
                seen.add(key)
                yield family, protein, int(place[1]), int(place[2]), residues


def damaged_rows(stream, text):
    """One row in ten with a fault of some kind, or with a peculiarity that is none."""
    for line in text.splitlines(keepends=True):
        if line[0] in "#/" or stream.random() > 0.1:
            yield line
            continue
        name, aligned = line.split()
        at = int(stream.integers(len(aligned)))
        letter = str(stream.choice(list("xXbBuO*1é.-a")))
        kind = stream.integers(8)
        yield from [
            (f"{name} {aligned[:at]}{letter}{aligned[at + 1 :]}\n",),
            (f"{name} {aligned[:at]}{aligned[at + 1 :]}\n",),
            (line, line),
            (f"{name.replace('/', '/0')} {aligned}\n",),
            (f"{name.replace('-', '_')} {aligned}\n",),
            (f"{name}9 {aligned}\n",),
            (f"{name}   {aligned.lower()}  \n",),
            (f"{name}\t{aligned.replace('.', '-')}\n",),
        ][kind]


@pytest.mark.parametrize("number", range(6))
def test_damaged_rows_are_judged_as_a_plain_reader_judges_them(tmp_path, monkeypatch, number):
    stream = np.random.default_rng(number)
    text = "".join(damaged_rows(stream, "".join(pfam_layout(stream, 6, 25))))
    path = tmp_path / "s"
    path.write_text(text, encoding="latin-1")
    expected = list(plain_rows(text))
    options = {"share": 1, "minimum": 30, "ambiguous": 0.1}
    fast, seed = parse(path, **options)
    columns = ["family", "protein", "start", "end", "sequence"]
    assert list(fast[columns].itertuples(index=False, name=None)) == expected
    assert len(fast) + len(seed.rejects) == seed.rows and len(seed.rejects) > 0
    monkeypatch.setattr(seeds, "read_at_once", lambda *_: [])
    slow, again = parse(path, **options)
    pd.testing.assert_frame_equal(fast, slow)
    pd.testing.assert_frame_equal(seed.rejects, again.rejects)


def test_a_family_larger_than_a_block_is_read_in_pieces(tmp_path, stream, monkeypatch):
    path = tmp_path / "s"
    text = "".join(pfam_layout(stream, 2, 200))
    path.write_text(text)
    whole, _ = parse(path)
    monkeypatch.setattr("pfamformer.sequences.stockholm.BLOCK_BYTES", 5000)
    monkeypatch.setattr("pfamformer.sequences.stockholm.CHUNK_BYTES", 700)
    pieces, seed = parse(path)
    pd.testing.assert_frame_equal(whole, pieces)
    assert seed.families["domains"].tolist() == [200, 200]
    # The same place far apart is still a duplicate, and its line is right.
    last = next(r for r in text.split("\n") if r.startswith("N5_ORG"))
    path.write_text(text.replace("#=GC seq_cons", f"{last}\n#=GC seq_cons", 1))
    _, seed = parse(path, share=1)
    line = text[: text.index("#=GC")].count("\n") + 1
    assert seed.rejects[["line", "family"]].values.tolist() == [[line, "PF00000.3"]]
    path.write_text(text.replace("#=GC seq_cons", f"\n{last}\n#=GC seq_cons", 1))
    with pytest.raises(InputError, match="interleaved"):
        parse(path)


def test_planted_faults_of_real_seeds_are_all_found(tmp_path):
    path = shared_data("pfam_seed_stockholm") / "Pfam-A.seed.gz"
    output = tmp_path / "domains.parquet"
    seed = parse_seed(path, output, Limits(10, 0.5, 0.05))
    reasons = dict(zip(seed.rejects["row"], seed.rejects["reason"], strict=True))
    planted = {"DUPLICATE-": "duplicate: ", "SHORT-PEPTIDE": "too short: ",
               "INVALID-CHARS": "bad characters: "}  # fmt: skip
    lines = {}
    with gzip.open(path, "rt") as text:
        for number, line in enumerate(text, 1):
            if line.startswith(tuple(planted)):
                lines[line.split()[0]] = number
    assert set(lines) == set(reasons) and len(lines) == 4
    for name, reason in reasons.items():
        assert reason.startswith(next(r for n, r in planted.items() if name.startswith(n)))
    assert seed.rejects["line"].tolist() == sorted(lines.values())
    with gzip.open(path, "rt") as text:
        records = [r for a in AlignIO.parse(unplanted(text, tmp_path), "stockholm") for r in a]
    domains = read_table("domains", output)
    assert domains["sequence"].tolist() == [str(r.seq).replace("-", "") for r in records]
    assert domains["protein"].tolist() == [r.annotations["accession"] for r in records]


def unplanted(text, folder):
    """Biopython refuses the planted rows: a copy without them."""
    planted = ("DUPLICATE-", "SHORT-PEPTIDE", "INVALID-CHARS")
    path = folder / "unplanted.sto"
    path.write_text("".join(line for line in text if not line.startswith(planted)))
    return path


def test_script_ends_with_one_line(tmp_path):
    path = seed_file(tmp_path / "seed.sto", ROWS + "P3.1/1-4  ACDE\n")
    ended = run_script(
        "parse_seed", "--seed", path, "--min-length", 1, "--domains", tmp_path / "d.parquet",
        "--families", tmp_path / "f.tsv", "--rejects", tmp_path / "r.tsv",
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("error:") == 1
    assert "columns: 4, its alignment has 6" in ended.stderr
    assert not (tmp_path / "d.parquet").exists()


def test_full_length_checks_each_domain(tmp_path):
    row = ("F/P1.1/3-5", "P1.1", 3, 5, "F", "", "CDE")
    names = ["id", "protein", "start", "end", "family", "clan", "sequence"]
    domains = pd.DataFrame([row, ("G/P1.1/1-2", "P1.1", 1, 2, "G", "", "AA")], columns=names)
    table, output, fasta = tmp_path / "d.parquet", tmp_path / "p.parquet", tmp_path / "pfamseq.gz"
    write_table(domains, "domains", table)
    for second in ("P1.1 y", "Y_HUMAN P1.1 text"):
        write_fasta(fasta, [("P0.1 x", "MMM"), (second, "AACDEF")])
        assert full_length(table, fasta, output) == 1
        assert read_table("proteins", output).to_dict("records") == [
            {"protein": "P1.1", "sequence": "AACDEF"}
        ]
    write_fasta(fasta, [("P1.1 x", "AACDEF"), ("P1.1 y", "AACDEF")])
    with pytest.raises(InputError, match=r"protein P1\.1: occurs a second time"):
        full_length(table, fasta, output)
    write_fasta(fasta, [("P1.1 x", "AACDDF")])
    with pytest.raises(InputError, match=r"domain F/P1\.1/3-5"):
        full_length(table, fasta, output)
    write_fasta(fasta, [("P1.2 x", "AACDEF")])
    with pytest.raises(InputError, match=r"protein P1\.1: 1 of 1 proteins"):
        full_length(table, fasta, output)
