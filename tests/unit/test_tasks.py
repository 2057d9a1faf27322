"""Ontology, annotations, time split and the GO task."""

import gzip
from collections import defaultdict
from datetime import date
from pathlib import Path

import cafaeval
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from cafaeval.parser import obo_parser

from pfamformer.errors import InputError
from pfamformer.report.table_6 import make_table
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.annotations import read_gaf
from pfamformer.tasks.go import find_sequences, make_task, ontology_of, summarise
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.time_split import Dates, split_by_date

OBO = """format-version: 1.2
default-namespace: molecular_function

[Term]
id: GO:0003674
name: molecular_function

[Term]
id: GO:0005488
name: binding {x="y"} ! kept in a name
is_a: GO:0003674 ! molecular_function

[Term]
id: GO:0005515
name: protein binding
alt_id: GO:0001948
is_a: GO:0005488 {source="x"} ! binding

[Term]
id: GO:0003824
name: catalytic activity
is_a: GO:0003674
relationship: part_of GO:0008150 ! another ontology
relationship: regulates GO:0005488 ! not followed

[Term]
id: GO:0008150
name: biological_process
namespace: biological_process

[Term]
id: GO:0009987
name: cellular process
namespace: biological_process
relationship: part_of GO:0008150

[Term]
id: GO:0000001
name: obsolete, replaced
namespace: biological_process
is_obsolete: true
replaced_by: GO:0009987

[Term]
id: GO:0000002
name: obsolete, gone
namespace: biological_process
is_obsolete: true

[Typedef]
id: part_of
namespace: external
"""


@pytest.fixture
def obo(tmp_path):
    (tmp_path / "go.obo").write_text(OBO)
    return tmp_path / "go.obo"


def test_obo_terms_parents_and_names_that_moved(obo):
    ontology = read_obo(obo)
    assert ontology.terms["GO:0005515"].parents == ("GO:0005488",)
    assert ontology.terms["GO:0003824"].parents == ("GO:0003674",)
    assert ontology.terms["GO:0009987"].ontology == "bpo"
    assert ontology.ancestors["GO:0005515"] == {"GO:0005515", "GO:0005488", "GO:0003674"}
    assert ontology.roots == {"GO:0003674", "GO:0008150"}
    moved = {"GO:0001948": "GO:0005515", "GO:0000001": "GO:0009987", "GO:0000002": None}
    assert {old: ontology.resolve(old) for old in moved} == moved
    assert ontology.obsolete == {"GO:0000002"}
    order = list(ontology.terms)
    assert all(
        order.index(t.id) < order.index(p) for t in ontology.terms.values() for p in t.parents
    )
    assert ontology.leaves(["GO:0005515", "GO:0005488", "GO:0003824"]) == {
        "GO:0005515", "GO:0003824",
    }  # fmt: skip


def test_obo_is_read_as_cafaeval_reads_it():
    path = Path(cafaeval.__file__).parent / "data/example/IDPO_disorder_function.obo"
    ours, theirs = read_obo(path), obo_parser(str(path))
    assert {t.ontology for t in ours.terms.values()} == set(theirs)
    for name, graph in theirs.items():
        expected = {
            t["id"]: {graph.terms_list[j]["id"] for j in t["adj"]} for t in graph.terms_list
        }
        found = {t.id: set(t.parents) for t in ours.terms.values() if t.ontology == name}
        assert found == expected
        tree = nx.DiGraph([(t, p) for t, parents in expected.items() for p in parents])
        for term in tree:
            assert ours.ancestors[term] == nx.descendants(tree, term) | {term}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: GO:0005488\n", "", r"line 8: a term with the identifier ''"),
        ("id: GO:0005488", "id: GO:0003674", r"line 8: GO:0003674 is defined at line 4"),
        ("is_a: GO:0003674 !", "is_a: GO:7777777 !", r"line 8: GO:7777777, a parent of GO:0005488"),
        ("is_a: GO:0003674 !", "is_a: binding !", r"line 11: 'is_a: binding' names no term"),
        ("is_a: GO:0003674 !", "is_a GO:0003674 !", r"line 11: .* is no 'tag: value'"),
        ("name: molecular_function\n", "is_a: GO:0005515\n", r"a cycle: GO:"),
        ("[Typedef]", "[Type def", r"line 50: '\[Type def' is no stanza"),
        ("name: binding", "name: a\nname: b", r"line 11: a second 'name' in one term"),
    ],
)
def test_broken_obo_is_refused_with_its_line(tmp_path, old, new, message):
    assert old in OBO
    (tmp_path / "go.obo").write_text(OBO.replace(old, new, 1))
    with pytest.raises(InputError, match=r"go\.obo, .*" + message):
        read_obo(tmp_path / "go.obo")


def row(protein, term, day, *, evidence="IDA", qualifier="", aspect="F", **changes):
    cells = ["UniProtKB", protein, "SYM", qualifier, term, "PMID:1", evidence, "", aspect, "", "",
             "protein", "taxon:9606", str(day), "UniProt", "", ""]  # fmt: skip
    for column, value in changes.items():
        cells[int(column[1:])] = value
    return "\t".join(cells)


def gaf(path, *rows):
    with gzip.open(path, "wt") as out:
        out.write("\n".join(["!gaf-version: 2.1", *rows, ""]))
    return path


def test_gaf_counts_every_row(obo, tmp_path):
    path = gaf(
        tmp_path / "a.gaf.gz",
        row("P1", "GO:0005515", 20150101),
        row("P1", "GO:0001948", 20140101),  # the same by its other name, earlier
        row("P2", "GO:0003824", 20150101, qualifier="NOT|contributes_to"),
        row("P2", "GO:0003824", 20150101, evidence="IEA"),
        row("P3", "GO:0000001", 20150101, aspect="P"),  # replaced
        row("P3", "GO:0000002", 20150101, aspect="P"),  # obsolete
        row("P3", "GO:7777777", 20150101, aspect="P"),  # unknown
        row("P3", "GO:0003824", 20150101, aspect="P"),  # a function, not a process
        row("P4", "GO:0003824", 20151301),  # no such month
        row("P4", "GO:0003824", 20150101, c6="XYZ"),
        row("P 4", "GO:0003824", 20150101),
        "P4\tGO:0003824",
    )
    found = read_gaf(path, read_obo(obo), max_reject_share=0.5)
    assert found.counts == {
        "rows": 12, "kept": 4, "rejected": 4, "other evidence": 1, "obsolete terms": 1,
        "unknown terms": 1, "terms of another aspect": 1,
    }  # fmt: skip
    assert sum(found.counts.values()) == 2 * found.counts["rows"]
    assert found.rejects["line"].tolist() == [10, 11, 12, 13]
    assert found.rows.to_dict("records") == [
        {"protein": "P1", "term": "GO:0005515", "ontology": "mfo", "date": 20140101,
         "negative": False},
        {"protein": "P2", "term": "GO:0003824", "ontology": "mfo", "date": 20150101,
         "negative": True},
        {"protein": "P3", "term": "GO:0009987", "ontology": "bpo", "date": 20150101,
         "negative": False},
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"a\.gaf\.gz, line 10: 4 of 12 rows are broken.*20151301"):
        read_gaf(path, read_obo(obo))


def test_gaf_reading_agrees_with_biopython(obo, tmp_path):
    from Bio.UniProt.GOA import gafiterator

    rows = [row(f"P{i % 7}", t, 20140101 + i, aspect=a, qualifier="NOT" if i % 5 == 0 else "")
            for i in range(20) for t, a in (("GO:0005515", "F"), ("GO:0009987", "P"))]  # fmt: skip
    path = gaf(tmp_path / "a.gaf.gz", *rows)
    expected = defaultdict(lambda: 99999999)
    with gzip.open(path, "rt") as text:
        for record in gafiterator(text):
            key = (record["DB_Object_ID"], record["GO_ID"], "NOT" in record["Qualifier"])
            expected[key] = min(expected[key], int(record["Date"]))
    found = read_gaf(path, read_obo(obo)).rows
    assert dict(expected) == dict(
        zip(zip(found["protein"], found["term"], found["negative"], strict=True), found["date"],
            strict=True)
    )  # fmt: skip


def brute_force_part(rows, protein, name, dev, test, knowledge):
    """The part of a protein in an ontology, from CAFA's definition, one protein at a time."""
    trivial = {"GO:0005515", "GO:0005488", "GO:0003674", "GO:0008150"}
    own = rows[(rows["protein"] == protein) & ~rows["negative"]]

    def newly(start, end):
        here = own[own["ontology"] == name]
        inside = here[(here["date"] >= start) & (here["date"] < end) & ~here["term"].isin(trivial)]
        known_here = (here["date"] < start).any()
        known_there = ((own["ontology"] != name) & (own["date"] < start)).any()
        allowed = {"none": not known_there, "limited": known_there, "none or limited": True}
        return len(inside) and not known_here and allowed[knowledge]

    return "test" if newly(test, 10**8) else "dev" if newly(dev, test) else "train"


@pytest.mark.parametrize("knowledge", ["none", "limited", "none or limited"])
def test_time_split_follows_the_definition(obo, stream, knowledge):
    ontology = read_obo(obo)
    terms = list(ontology.terms.values())
    # Few proteins with many facts are known early, many with few become known late.
    rows = []
    for term in (terms[i] for i in stream.integers(len(terms), size=250)):
        protein = f"P{int(150 * stream.random() ** 2)}"
        day = int(stream.integers(2010, 2020)) * 10_000 + 615
        rows.append((protein, term.id, term.ontology, day, bool(stream.random() < 0.1)))
    rows = pd.DataFrame(rows, columns=["protein", "term", "ontology", "date", "negative"])
    dates = Dates(date(2014, 1, 1), date(2016, 1, 1))
    found = split_by_date(rows, dates, ontology, knowledge)
    assert set(found["part"]) == {"train", "dev", "test"}
    for (protein, name), group in found.groupby(["protein", "ontology"]):
        (part,) = set(group["part"])
        assert part == brute_force_part(rows, protein, name, 20140101, 20160101, knowledge)
    positive = found[~found["negative"]]
    assert (positive.loc[positive["part"] != "test", "date"] < 20160101).all()
    assert (positive.loc[positive["part"] == "test", "date"] >= 20160101).all()
    # Nothing that was known before the test date is lost.
    assert (rows["date"] < 20160101).sum() == (found["date"] < 20160101).sum()
    ended = split_by_date(
        rows, Dates(date(2014, 1, 1), date(2016, 1, 1), date(2018, 1, 1)), ontology, knowledge
    )
    assert ended["date"].max() < 20180101


def go_rows():
    rows = [
        ("P1", "GO:0005515", "mfo", "train", False), ("P1", "GO:0003824", "mfo", "train", False),
        ("P2", "GO:0005515", "mfo", "train", False), ("P3", "GO:0003824", "mfo", "test", False),
        ("P3", "GO:0005515", "mfo", "test", True),
        ("P3", "GO:0003674", "mfo", "test", True),  # contradicts: the root is true of it
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["protein", "term", "ontology", "part", "negative"])


def test_go_task_is_propagated_and_survives_its_tables(obo, tmp_path):
    ontology = read_obo(obo)
    task = make_task(ontology, go_rows(), dict.fromkeys(["P1", "P2", "P3"], "MK"), 2)
    positive = task.annotations[~task.annotations["negative"]]
    assert set(positive.loc[positive["protein"] == "P1", "term"]) == ontology.propagate(
        ["GO:0005515", "GO:0003824"]
    )
    negative = task.annotations[task.annotations["negative"]]
    assert negative[["protein", "term"]].values.tolist() == [["P3", "GO:0005515"]]
    count = task.terms.set_index("term")["train_proteins"]
    assert count[["GO:0003674", "GO:0005488", "GO:0003824", "GO:0008150"]].tolist() == [2, 2, 1, 0]
    assert set(task.terms.loc[task.terms["predicted"], "term"]) == {"GO:0005488", "GO:0005515"}
    for name, table in vars(task).items():
        write_table(table, name, tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(
            read_table(name, tmp_path / f"{name}.parquet"), table, check_dtype=False
        )
    assert ontology_of(task.terms).terms == ontology.terms
    assert summarise(task)["mfo"] == {
        "train": 2, "dev": 0, "test": 1, "test_negatives": 1, "terms": 4, "predicted_terms": 2,
    }  # fmt: skip


def test_sequences_are_found_by_accession(tmp_path):
    path = tmp_path / "p.fasta"
    path.write_text(">P1.3 NAME x\nmk\n>sp|P2|N_HUMAN y\nMR\n>tr|P4|Z\nMW\n>P3-2\nMA\n")
    assert find_sequences(path, ["P1", "P2", "P3", "P9"]) == {"P1": "MK", "P2": "MR"}
    with pytest.raises(InputError, match=r"p\.fasta: holds none of 2 annotated.*go: null"):
        find_sequences(path, ["P8", "P9"])


def test_table_6_counts_copies(obo):
    sequences = {"P1": "MK", "P2": "MK", "P3": "MK", "P4": "MR", "P5": "MR", "P6": "MW"}
    facts = {"P1": ["GO:0005515"], "P2": ["GO:0005515"], "P3": ["GO:0003824"],
             "P4": ["GO:0003824"], "P5": ["GO:0003824"], "P6": ["GO:0005488"]}  # fmt: skip
    rows = pd.DataFrame(
        [(p, t, "mfo", "train", False) for p, terms in facts.items() for t in terms],
        columns=["protein", "term", "ontology", "part", "negative"],
    )
    task = make_task(read_obo(obo), rows, sequences, 1)
    table = make_table(task.annotations, task.proteins).set_index("ontology")
    assert table.loc["MFO", ["proteins", "repeated", "differing"]].tolist() == [6, 5, 3]
    assert table.loc["BPO", "proteins"] == 0


def test_information_accretion_against_sets(obo, stream):
    """Against the definition on sets of proteins, CAFA's imaginary protein among them."""
    ontology = read_obo(obo)
    terms = [t for t in ontology.terms.values() if t.ontology == "mfo" and t.parents]
    rows = pd.DataFrame(
        {(f"P{stream.integers(30)}", terms[stream.integers(len(terms))].id) for _ in range(40)},
        columns=["protein", "term"],
    ).assign(ontology="mfo", part="train", negative=False)
    task = make_task(ontology, rows, dict.fromkeys(rows["protein"], "MK"), 1)
    having = {t: {"imaginary"} for t in ontology.terms}
    for protein, term in zip(rows["protein"], rows["term"], strict=True):
        for ancestor in ontology.ancestors[term]:
            having[ancestor].add(protein)
    for term, information in zip(task.terms["term"], task.terms["information"], strict=True):
        parents = [having[p] for p in ontology.terms[term].parents]
        expected = np.log2(len(set.intersection(*parents)) / len(having[term])) if parents else 0
        assert information == pytest.approx(expected, abs=1e-12)
