import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import html5lib
import pytest
from pyhmmer.easel import Alphabet, TextMSA, TextSequence
from pyhmmer.plan7 import Background, Builder

from conftest import ROOT, mutate, random_sequence, run_script
from pfamformer.annotation import scan as scan_module
from pfamformer.annotation.building import save
from pfamformer.annotation.join import FamilyTerms, Protein, join, judge
from pfamformer.annotation.model import FORMAT
from pfamformer.annotation.output import Family, Gff3, Term, TermTsv, Tsv
from pfamformer.annotation.problems import PROBLEMS
from pfamformer.annotation.query import Query, Record, clean, looks_like_nucleotides
from pfamformer.annotation.scan import Domain, scan, without_overlaps
from pfamformer.errors import InputError
from pfamformer.methods.profile_hmm import read_profiles, write_profiles
from pfamformer.report.annotation import Gathered, make_page
from pfamformer.tables import TableWriter, from_rows, read_table

AMINO = Alphabet.amino()
PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"


def read(path: Path, text: str | bytes) -> tuple[list[Record], Query, list]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    told: list = []
    query = Query(path, lambda *what: told.append(what))
    return list(query), query, told


def test_odd_records_are_mended_or_left_out_and_counted(tmp_path):
    records, query, told = read(
        tmp_path / "q.fasta",
        f">a first one\n{PROTEIN}\n\n>a\n{PROTEIN.lower()}\n>\n{PROTEIN}*\n>empty\n>e2\n\n"
        f">gaps\nMK--TA..YI\n>stops\nMK*TA\n>odd\nMK1TAYIA\n>no\n12345678MK\n"
        f">dna\n{'ACGTTGCAN' * 10}\n>rna\n{'ACGUUGCA' * 10}\n>long\n{'M' * 100_001}\n",
    )
    assert [(r.name, r.sequence) for r in records] == [
        ("a", PROTEIN), ("a_2", PROTEIN), ("record_3", PROTEIN), ("gaps", "MKTAYI"),
        ("stops", "MKXTA"), ("odd", "MKXTAYIA"),
    ]  # fmt: skip
    assert records[0].description == "first one"
    assert query.problems == {
        "duplicate name": 1, "no name": 1, "empty": 2, "gaps": 1, "stop codons": 1,
        "odd characters": 1, "not a sequence": 1, "nucleotides": 2, "too long": 1,
    }  # fmt: skip
    assert set(query.problems) <= set(PROBLEMS) and query.read == 12 and query.kept == 6
    assert (2, "a", "duplicate name") in told and (10, "dna", "nucleotides") in told


def test_a_numbered_name_never_meets_one_that_is_there(tmp_path):
    records, *_ = read(tmp_path / "q.fasta", f">a\n{PROTEIN}\n>a_2\n{PROTEIN}\n>a\n{PROTEIN}\n")
    assert [r.name for r in records] == ["a", "a_2", "a_3"]


def test_a_name_ends_at_the_first_blank_or_tab(tmp_path):
    text = f">a\tof  a table\n{PROTEIN}\n> b c\n{PROTEIN}\n"
    records, *_ = read(tmp_path / "q.fasta", text)
    assert [(r.name, r.description) for r in records] == [("a", "of  a table"), ("b", "c")]


def test_gzip_and_windows_line_ends(tmp_path):
    text = f">a\r\n{PROTEIN[:10]}\r\n{PROTEIN[10:]}\r\n".encode()
    for name, content in (("q.fasta", text), ("q.fa.gz", gzip.compress(text))):
        records, *_ = read(tmp_path / name, content)
        assert [r.sequence for r in records] == [PROTEIN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no FASTA record"),
        (">a\n>b\n", "2 of 2: no usable protein in 2 records. no residue"),
        (">a\n" + "ACGT" * 20, "translate it first"),
        (f"protein\tsequence\na\t{PROTEIN}\n", "Is this a whole FASTA file of proteins?"),
        ("{}", "truncated or damaged"),
    ],
)
def test_a_query_without_a_protein_says_why(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path / "q.fasta", text)
    with pytest.raises(InputError, match="no such file"):
        list(Query(tmp_path / "none.fasta"))


def test_proteins_of_few_residue_types_are_no_nucleotides():
    assert not looks_like_nucleotides("GAGAGS" * 20)
    assert not looks_like_nucleotides("ACGT")
    assert looks_like_nucleotides("ATGGCCAAGTTCACG" * 3 + "RY")
    assert clean("  m k\tt*")[0] == "MKT"


@pytest.fixture(scope="module")
def families():
    """Three families with a profile each, and proteins that hold them."""
    import numpy as np

    stream = np.random.default_rng(5)
    builder, background = Builder(AMINO, seed=1), Background(AMINO)
    ancestors = [random_sequence(stream, length) for length in (60, 90, 120)]
    hmms = []
    for number, ancestor in enumerate(ancestors):
        rows = [
            TextSequence(name=f"s{i}", sequence=mutate(stream, ancestor, 0.3)) for i in range(12)
        ]
        name = f"PF0000{number}.1"
        msa = TextMSA(name=name, accession=name, sequences=rows).digitize(AMINO)
        hmms.append(builder.build_msa(msa, background)[0])
    records = []
    for number in range(40):
        parts = [random_sequence(stream, int(stream.integers(5, 80)))]
        for which in stream.integers(0, 3, int(stream.integers(0, 4))):
            parts += [mutate(stream, ancestors[which], 0.45), random_sequence(stream, 30)]
        records.append(Record(f"p{number}", "", "".join(parts)))
    return hmms, records


def flat(blocks):
    return [(record, domains) for block in blocks for record, domains in block]


def test_scan_finds_what_hmmscan_finds(families, tmp_path):
    hmms, records = families
    write_profiles(tmp_path / "all.hmm", hmms)
    (tmp_path / "q.fasta").write_text("".join(f">{r.name}\n{r.sequence}\n" for r in records))
    programs = Path(sys.executable).parent
    options = {"cwd": tmp_path, "check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([programs / "hmmpress", "all.hmm"], **options)
    subprocess.run(
        [programs / "hmmscan", "--cpu", "0", "-E", "0.001", "--domtblout", "out.txt", "all.hmm",
         "q.fasta"], **options,
    )  # fmt: skip
    expected = set()
    for line in (tmp_path / "out.txt").read_text().splitlines():
        if not line.startswith("#"):
            cells = line.split()
            if float(cells[12]) <= 0.001:
                expected.add((cells[3], cells[0], int(cells[19]), int(cells[20]), cells[13],
                              int(cells[15]), int(cells[16])))  # fmt: skip
    found = flat(scan(hmms, records, 0.001, 1))
    assert [record for record, _ in found] == records
    ours = {
        (r.name, d.family, d.start, d.end, f"{d.score:.1f}", d.model_start, d.model_end)
        for r, domains in found
        for d in domains
    }
    assert ours and ours == expected  # planted domains do not overlap


def test_blocks_change_nothing(families, monkeypatch):
    hmms, records = families
    whole = flat(scan(hmms, records, 0.001, 1))
    monkeypatch.setattr(scan_module, "BLOCK_RESIDUES", 500)
    blocks = list(scan(hmms, iter(records), 0.001, 1))
    assert len(blocks) > 5 and flat(blocks) == whole


def test_of_overlapping_domains_the_best_stays():
    def domain(family, start, end, score):
        return Domain(family, start, end, score, 1e-9, 1, 9, 9)

    best, worse, beside = domain("a", 1, 100, 50), domain("b", 40, 90, 40), domain("c", 90, 150, 9)
    assert without_overlaps([worse, beside, best]) == [best, beside]


def write_calls(path, name, rows):
    with TableWriter(name, path) as out:
        out.write(from_rows(name, rows))


def test_methods_side_by_side(tmp_path):
    proteins = [("p1", 200, ""), ("p2", 100, "second"), ("p3", 50, "")]
    write_calls(tmp_path / "query.parquet", "query", proteins)
    write_calls(
        tmp_path / "hmm.parquet", "hits",
        [("p1", 1, 100, "PF1.2", 50.0, "profile HMM", "h", 1e-9, 1, 90, 95),
         ("p1", 120, 180, "PF2.1", 30.0, "profile HMM", "h", 1e-5, 1, 60, 60),
         ("p3", 1, 40, "PF1.2", 20.0, "profile HMM", "h", 1e-4, 1, 40, 95)],
    )  # fmt: skip
    write_calls(
        tmp_path / "net.parquet", "calls",
        [("p1", 5, 98, "PF1", 0.9, "tagger", "t"), ("p1", 118, 170, "PF3", 0.8, "tagger", "t"),
         ("p2", 10, 60, "PF2", 0.7, "tagger", "t")],
    )  # fmt: skip
    files = [tmp_path / "hmm.parquet", tmp_path / "net.parquet"]
    found = {p.name: p for p in join(tmp_path / "query.parquet", files)}
    assert list(found) == ["p1", "p2", "p3"]
    assert found["p1"].agreement == ["agree", "agree", "differ", "differ"]
    assert found["p2"].agreement == ["only"] and found["p2"].description == "second"
    assert found["p1"].families == ["PF1", "PF3", "PF2"]
    gathered = Gathered(2)
    for protein in found.values():
        gathered.add(protein)
    assert [p.name for p in gathered.best()] == ["p1", "p2"]
    assert gathered.words == {"agree": 2, "differ": 2, "only": 2}
    assert judge(found["p1"].calls, several=False) == [""] * 4
    write_calls(tmp_path / "odd.parquet", "calls", [("p9", 1, 5, "PF1", 1.0, "m", "r")])
    with pytest.raises(InputError, match="protein p9"):
        list(join(tmp_path / "query.parquet", [tmp_path / "odd.parquet"]))


def test_terms_of_families_and_of_a_network_side_by_side(tmp_path):
    write_calls(tmp_path / "query.parquet", "query", [("p1", 200, ""), ("p2", 100, "")])
    write_calls(
        tmp_path / "hits.parquet", "hits",
        [("p1", 1, 90, "PF1.2", 50.0, "profile HMM", "h", 1e-9, 1, 90, 95)],
    )  # fmt: skip
    write_calls(
        tmp_path / "terms.parquet", "calls",
        [("p1", None, None, "GO:1", 0.4, "network", "t"),
         ("p2", None, None, "GO:2", 0.1, "network", "t")],
    )  # fmt: skip
    known = {"GO:1": Term("mfo", "binding", 1.0), "GO:2": Term("bpo", "process", 2.0)}
    with open(tmp_path / "t.tsv", "w") as out:
        writer = TermTsv(out, known, 0.2)
        for protein in join(
            tmp_path / "query.parquet", [tmp_path / "hits.parquet"], tmp_path / "terms.parquet",
            FamilyTerms({"PF1.2": [("GO:2", 0.7)]}),
        ):  # fmt: skip
            writer.write(protein)
    assert (tmp_path / "t.tsv").read_text().splitlines()[1:] == [
        "p1\tGO:2\tbpo\tprocess\t0.700\tfamily to term",
        "p1\tGO:1\tmfo\tbinding\t0.400\tnetwork",
    ]


def test_gff3_is_read_by_another_parser(tmp_path):
    gffutils = pytest.importorskip("gffutils")
    odd = "odd|name;x=1 %,&\tend"
    write_calls(tmp_path / "query.parquet", "query", [(odd, 90, ""), ("none", 9, "")])
    row = (odd, 3, 80, "PF00001.2", 55.5, "profile HMM", "h", 2e-20, 1, 70, 70)
    write_calls(tmp_path / "hits.parquet", "hits", [row])
    terms = ("GO:0004930", "GO:0016020")
    known = {"PF00001.2": Family("7tm_1", "receptor; 7 = helices, 100% & more", terms)}
    with open(tmp_path / "d.gff3", "w") as gff3, open(tmp_path / "d.tsv", "w") as tsv:
        writers = [Gff3(gff3, known), Tsv(tsv, known)]
        for protein in join(tmp_path / "query.parquet", [tmp_path / "hits.parquet"]):
            for writer in writers:
                writer.write(protein)
    (feature,) = gffutils.create_db(str(tmp_path / "d.gff3"), ":memory:").all_features()
    assert feature.seqid == "odd|name%3Bx%3D1%20%25%2C%26%09end"
    assert (feature.featuretype, feature.start, feature.end) == ("protein_match", 3, 80)
    assert float(feature.score) == 2e-20 and feature.strand == "."
    attributes = dict(feature.attributes.items())
    assert attributes["Note"] == [known["PF00001.2"].description]
    assert attributes["Ontology_term"] == list(terms)
    assert attributes["Name"] == ["7tm_1"] and attributes["Dbxref"] == ["Pfam:PF00001"]
    assert (tmp_path / "d.gff3").read_text().splitlines()[0] == "##gff-version 3"


def test_scripts_make_table_gff3_and_a_valid_page(families, tmp_path):
    hmms, records = families
    write_profiles(tmp_path / "all.hmm", hmms)
    assert [h.name for h in read_profiles(tmp_path / "all.hmm")] == [h.name for h in hmms]
    text = "".join(f">{r.name} <b>&\n{r.sequence}\n" for r in records) + ">empty\n"
    (tmp_path / "q.fasta").write_text(text)
    names = "\n".join(f"{h.accession}\tName{i}\tthe <family>\t\t\t9" for i, h in enumerate(hmms))
    (tmp_path / "families.tsv").write_text(
        f"family\tname\tdescription\tclan\tgathering\tdomains\n{names}\n"
    )
    files = {f: tmp_path / f for f in ("hits.parquet", "query.parquet", "problems.tsv", "q.json")}
    scanned = run_script(
        "scan_query", "--query", tmp_path / "q.fasta", "--profiles", tmp_path / "all.hmm",
        "--evalue", "0.001", "--hits", files["hits.parquet"], "--proteins", files["query.parquet"],
        "--problems", files["problems.tsv"], "--summary", files["q.json"],
    )  # fmt: skip
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads(files["q.json"].read_text())["problems"] == {"empty": 1}
    assert "41\tempty\tempty\t" in files["problems.tsv"].read_text()
    folder, page = tmp_path / "model", tmp_path / "annotation.html"
    about = {"format": FORMAT, "project": "p", "title": "t", "seed": 1, "families": 3,
             "training_domains": 9, "dev_domains": 1, "test_domains": 1}  # fmt: skip
    save(folder, about, {"families": tmp_path / "families.tsv"}, {})
    joined = run_script(
        "annotate", "--proteins", files["query.parquet"], "--summary", files["q.json"],
        "--calls", files["hits.parquet"], "--model", folder, "--least-probability", 0.2,
        "--term-table", tmp_path / "t.tsv",
        "--shown", 10, "--title", "T & t", "--command", "snakemake annotate",
        "--template", ROOT / "workflow/report/annotation.html.j2", "--table", tmp_path / "d.tsv",
        "--gff3", tmp_path / "d.gff3", "--page", page,
    )  # fmt: skip
    assert joined.returncode == 0, joined.stderr
    hits = read_table("hits", files["hits.parquet"])
    assert len((tmp_path / "d.tsv").read_text().splitlines()) == 1 + len(hits)
    text = page.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert text.count('class="protein"') == 10 and "the &lt;family&gt;" in text


def test_lanes_stand_in_one_order_and_families_of_a_protein_differ_in_colour():
    gathered = Gathered(3)
    # Both accessions have the same usual colour.
    for name, labels in (("a", ["PF00001", "PF00007"]), ("b", ["PF00007"])):
        calls = [
            {"label": label, "start": 1 + 9 * i, "end": 9 + 9 * i, "score": 0.5, "method": method}
            for i, label in enumerate(labels)
            for method in ("family network", "tagger")
        ]
        gathered.add(Protein(name, 100, "", calls, ["agree"] * len(calls)))
    hit = {"label": "PF00001", "start": 1, "end": 9, "score": 9.0, "method": "profile HMM"}
    gathered.add(Protein("c", 100, "", [{**hit, "evalue": 1e-9}], ["only"]))
    template = ROOT / "workflow/report/annotation.html.j2"
    summary = {"read": 3, "kept": 3, "residues": 300, "problems": {}, "profiles": 2, "evalue": 0.1}
    page = make_page(gathered, {}, {}, {"project": "p"}, summary, "T", "snakemake", template)
    sections = page.split('class="protein"')[1:]
    assert len(sections) == 3
    for section in sections:
        lanes = re.findall(r'class="lane"><span>([^<]+)', section)
        assert lanes == ["profile HMM", "tagger", "family network"]
    both = next(section for section in sections if "<h3>a " in section)
    colours = {
        label: set(re.findall(rf"\({label}\).*?fill=\"(#\w+)\"", both))
        for label in ("PF00001", "PF00007")
    }
    assert all(len(colour) == 1 for colour in colours.values())
    assert colours["PF00001"] != colours["PF00007"]
