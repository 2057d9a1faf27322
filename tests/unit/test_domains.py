import pandas as pd
import pytest

from conftest import run_script
from pfamformer.errors import InputError
from pfamformer.families.domains import full_length, parse_seed
from pfamformer.sequences.fasta import write_fasta

ROWS = """P1.1/3-7  ACD.EF
P2.1/1-5  AC.DEF
"""


def seed_file(path, rows=ROWS, accession="PF00001.1"):
    path.write_text(f"# STOCKHOLM 1.0\n#=GF ID One\n#=GF AC {accession}\n#=GF GA 20.0;\n{rows}//\n")
    return path


def test_domains_and_families(tmp_path):
    seed = parse_seed(seed_file(tmp_path / "s"), minimum=1, max_reject_share=0)
    assert seed.domains["id"].tolist() == ["PF00001.1/P1.1/3-7", "PF00001.1/P2.1/1-5"]
    assert seed.domains["sequence"].tolist() == ["ACDEF", "ACDEF"]
    assert seed.families.iloc[0].to_dict() == {
        "family": "PF00001.1", "name": "One", "description": "", "clan": "", "gathering": "20.0",
        "domains": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("P3.1/1-4  ACDE", "4 columns, its alignment has 6"),
        ("P3.1/1-5  AC*DEF", "'*' at residue 3 is not an amino acid"),
        ("P3.1/1-9  AC.DEF", "5 residues, its coordinates span 9"),
        ("P3/1-5    AC.DEF", "not ACCESSION.version/start-end"),
        ("P1.1/3-7  ACD.EF", "a row of this name came before"),
        ("P3.1/1-2  A....C", "2 residues, fewer than 3"),
    ],
)
def test_each_kind_of_broken_row_is_found(tmp_path, row, reason):
    path = seed_file(tmp_path / "seed.sto", ROWS + row + "\n")
    seed = parse_seed(path, minimum=3, max_reject_share=0.5)
    assert len(seed.domains) == 2
    assert seed.rows == len(seed.domains) + len(seed.rejects)
    assert reason in seed.rejects.iloc[0]["reason"]
    assert seed.rejects.iloc[0]["line"] == 7
    with pytest.raises(InputError) as error:
        parse_seed(path, minimum=3, max_reject_share=0.1)
    for part in (str(path), "line 7", "PF00001.1", "1 of 3 rows", reason):
        assert part in str(error.value)


def test_empty_family_and_empty_file(tmp_path):
    with pytest.raises(InputError, match=r"family PF00001.1 at line 1: the family is empty"):
        parse_seed(seed_file(tmp_path / "s", ""), minimum=1, max_reject_share=0)
    (tmp_path / "none").write_text("")
    with pytest.raises(InputError, match="no family"):
        parse_seed(tmp_path / "none", minimum=1, max_reject_share=0)


def test_script_ends_with_one_line(tmp_path):
    path = seed_file(tmp_path / "seed.sto", ROWS + "P3.1/1-4  ACDE\n")
    ended = run_script(
        "parse_seed", "--seed", path, "--min-length", 1, "--domains", tmp_path / "d.parquet",
        "--families", tmp_path / "f.tsv", "--rejects", tmp_path / "r.tsv",
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("error:") == 1
    assert "4 columns, its alignment has 6" in ended.stderr
    assert not (tmp_path / "d.parquet").exists()


def test_full_length_checks_each_domain(tmp_path):
    domains = pd.DataFrame(
        {"id": ["F/P1.1/3-5"], "protein": ["P1.1"], "start": [3], "end": [5], "sequence": ["CDE"]}
    )
    fasta = tmp_path / "pfamseq.gz"
    write_fasta(fasta, [("P0.1 x", "MMM"), ("P1.1 y", "AACDEF")])
    assert full_length(domains, fasta).to_dict("records") == [
        {"protein": "P1.1", "sequence": "AACDEF"}
    ]
    with pytest.raises(InputError, match=r"domain F/P1\.1/3-5"):
        full_length(domains.assign(sequence="CDD"), fasta)
    with pytest.raises(InputError, match=r"P9\.1"):
        full_length(domains.assign(protein="P9.1"), fasta)
