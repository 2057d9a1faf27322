"""Methods that call GO terms, and the evaluator that reads their tables."""

import json
import zipfile

import numpy as np
import pandas as pd
import pyhmmer
import pytest
from cafaeval.evaluation import cafa_eval
from test_ontology_metrics import random_ontology

from conftest import mutate, random_sequence, run_script
from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.terms import by_identity, curve_table, evaluate, questions, read_calls
from pfamformer.families.similarity import find_neighbours
from pfamformer.methods import (
    BEST_IDENTITY,
    BIT_SCORE_VOTE,
    CLOSE_VOTE,
    FREQUENCIES,
    NEAREST_VOTE,
    NETWORK_AND_VOTE,
    RANKING,
    term_domains,
    term_frequencies,
    term_neighbours,
)
from pfamformer.methods.calls import term_calls
from pfamformer.report import go_identity
from pfamformer.report.go_baselines import describe, draw, shortfalls
from pfamformer.report.items import cells
from pfamformer.sources.embedded import PROFILES
from pfamformer.sources.embedded_terms import INTERPRO, write_mapping, write_profiles
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.go import make_task, ontology_of, summarise
from pfamformer.tasks.ontology import read_obo


@pytest.fixture
def task(stream, tmp_path):
    """30 training and 12 test proteins with random terms of two ontologies."""
    random_ontology(stream, tmp_path / "o.obo", 40)
    ontology = read_obo(tmp_path / "o.obo")
    terms = [t for t in ontology.terms.values() if t.parents]
    rows = []
    for i in range(42):
        for term in stream.choice(len(terms), 3, replace=False):
            part = "train" if i < 30 else "test"
            rows.append((f"P{i:02d}", terms[term].id, terms[term].ontology, part, False))
    # Of one test protein a term is known not to hold, in an ontology in which it has others.
    protein, name = rows[-1][0], rows[-1][2]
    true = ontology.propagate(row[1] for row in rows if row[0] == protein)
    wrong = next(t for t in terms if t.ontology == name and t.id not in true)
    rows.append((protein, wrong.id, name, "test", True))
    columns = ["protein", "term", "ontology", "part", "negative"]
    rows = pd.DataFrame(rows, columns=columns).drop_duplicates()
    sequences = {f"P{i:02d}": random_sequence(stream, 60) for i in range(42)}
    return make_task(ontology, rows, sequences, 2)


def annotated(task, name):
    """Terms of each training protein in an ontology."""
    rows = task.annotations
    rows = rows[(rows["part"] == "train") & (rows["ontology"] == name) & ~rows["negative"]]
    return rows.groupby("protein")["term"].agg(set).to_dict()


def test_frequencies_are_shares_of_the_annotated(task):
    calls = term_frequencies.predict(task, ["P30", "P31"], "r")
    for name in ("mfo", "bpo"):
        having = annotated(task, name)
        expected = {}
        for terms in having.values():
            for term in terms:
                expected[term] = expected.get(term, 0) + 1 / len(having)
        for protein in ("P30", "P31"):
            mine = calls[(calls["protein"] == protein) & calls["label"].isin(expected)]
            found = dict(zip(mine["label"], mine["score"], strict=True))
            assert found == pytest.approx(expected)
    assert calls["start"].isna().all()


def hits_of(stream, proteins, targets):
    rows = [(q, t, *stream.uniform(0.1, 1, 2).round(3), int(stream.integers(30, 500)))
            for q in proteins for t in targets if stream.random() < 0.3]  # fmt: skip
    return pd.DataFrame(rows, columns=["query", "target", "identity", "coverage", "bits"])


def test_neighbour_scores_against_loops(task, stream):
    hits = hits_of(stream, task.held_out, [f"P{i:02d}" for i in range(30)])
    found = term_neighbours.predict(task, hits, "r")
    expected = {method: {} for method in (BEST_IDENTITY, BIT_SCORE_VOTE, NEAREST_VOTE, CLOSE_VOTE)}
    for name in ("mfo", "bpo"):
        having = annotated(task, name)
        for query, all_hits in hits.groupby("query"):
            mine = all_hits[all_hits["target"].isin(having)]
            five = all_hits[:5][all_hits[:5]["target"].isin(having)]
            for term in set().union(*(having[t] for t in mine["target"])):

                def has(rows, term=term, having=having):
                    return rows[[term in having[t] for t in rows["target"]]]

                expected[BEST_IDENTITY][query, term] = has(mine)["identity"].max()
                expected[BIT_SCORE_VOTE][query, term] = has(mine)["bits"].sum() / mine["bits"].sum()
                expected[NEAREST_VOTE][query, term] = has(five)["bits"].sum() / max(
                    five["bits"].sum(), 1
                )
                close = [
                    (rows["bits"] * rows["identity"] * rows["coverage"] * rows["coverage"]).sum()
                    for rows in (has(mine), mine)
                ]
                expected[CLOSE_VOTE][query, term] = close[0] / close[1]
    assert found.keys() == expected.keys()
    for method, calls in found.items():
        wanted = {key: score for key, score in expected[method].items() if score >= 0.01}
        keys = zip(calls["protein"], calls["label"], strict=True)
        assert dict(zip(keys, calls["score"], strict=True)) == pytest.approx(wanted)


def test_proteins_without_neighbours(task):
    none = pd.DataFrame({c: [] for c in ["query", "target", "identity", "coverage", "bits"]})
    assert all(len(calls) == 0 for calls in term_neighbours.predict(task, none, "r").values())


def test_neighbours_are_found_and_scored(stream):
    ancestors = [random_sequence(stream, 120) for _ in range(5)]
    targets = pd.DataFrame(
        [(f"t{i}|x y", s) for i, s in enumerate(ancestors)], columns=["id", "sequence"]
    )
    queries = pd.DataFrame(
        [("same", ancestors[0]), ("near", mutate(stream, ancestors[1], 0.3)),
         ("half", ancestors[2][:60] + random_sequence(stream, 60)),
         ("none", random_sequence(stream, 120))],
        columns=["id", "sequence"],
    )  # fmt: skip
    hits = find_neighbours(queries, targets, 1).set_index("query")
    assert hits["target"].to_dict() == {"same": "t0|x y", "near": "t1|x y", "half": "t2|x y"}
    assert hits.loc["same", ["identity", "coverage"]].tolist() == [1, 1]
    assert 0.6 < hits.loc["near", "identity"] < 0.85
    assert 0.45 < hits.loc["half", "coverage"] < 0.6


def test_pfam2go_and_domains(stream, tmp_path):
    """A wheel with two profiles and InterPro entries; one family has terms."""
    ancestor = random_sequence(stream, 80)
    abc = pyhmmer.easel.Alphabet.amino()
    builder, background = pyhmmer.plan7.Builder(abc), pyhmmer.plan7.Background(abc)
    with open(tmp_path / "Pfam.h3m", "wb") as out:
        for accession, sequence in (
            ("PF00001", ancestor),
            ("PF00002", random_sequence(stream, 80)),
        ):
            rows = [pyhmmer.easel.TextSequence(name=f"s{i}", sequence=mutate(stream, sequence, 0.2))
                    for i in range(8)]  # fmt: skip
            msa = pyhmmer.easel.TextMSA(name=accession, sequences=rows)
            msa.accession = f"{accession}.3"
            hmm, _, _ = builder.build_msa(msa.digitize(abc), background)
            hmm.cutoffs.gathering = 25.0, 25.0
            hmm.write(out, binary=True)
    term = {"accession": "GO:0000005", "name": "a > b ; c", "namespace": "molecular_function"}
    entries = [
        {"accession": "IPR1", "name": "E", "members": ["PF00001", "SM1"], "go_terms": [term]},
        {"accession": "IPR2", "name": "F", "members": ["PF00002"], "go_terms": []},
    ]
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        archive.write(tmp_path / "Pfam.h3m", PROFILES)
        archive.writestr(INTERPRO, json.dumps(entries))
    families = write_mapping(tmp_path / "w.whl", tmp_path / "pfam2go")
    assert families == {"PF00001"}
    assert write_profiles(tmp_path / "w.whl", families, tmp_path / "Pfam-A.hmm.gz") == 1
    mapping = term_domains.read_pfam2go(tmp_path / "pfam2go")
    assert mapping == {"PF00001": ["GO:0000005"]}
    profiles = term_domains.read_profiles(tmp_path / "Pfam-A.hmm.gz", mapping)
    proteins = pd.DataFrame(
        [("P1", "MK" + mutate(stream, ancestor, 0.2) + "WY"), ("P2", random_sequence(stream, 90))],
        columns=["protein", "sequence"],
    )
    found = term_domains.scan(profiles, proteins, 1)
    assert found.values.tolist() == [["P1", "PF00001"]]
    random_ontology(stream, tmp_path / "o.obo", 10)
    calls = term_domains.predict(found, mapping, read_obo(tmp_path / "o.obo"), "r")
    assert calls[["protein", "label", "score"]].values.tolist() == [["P1", "GO:0000005", 1.0]]
    (tmp_path / "pfam2go").write_text("!x\nPfam:PF00001 7tm > no term\n")
    with pytest.raises(InputError, match=r"pfam2go, line 2: 'Pfam:PF00001 7tm > no term'"):
        term_domains.read_pfam2go(tmp_path / "pfam2go")
    (tmp_path / "Pfam-A.hmm.gz").write_bytes(b"not a profile")
    with pytest.raises(InputError, match="no profile file"):
        term_domains.read_profiles(tmp_path / "Pfam-A.hmm.gz", mapping)


def random_calls(stream, task, run="r"):
    terms = task.terms["term"].to_numpy()
    count = 40 * len(task.held_out)
    return term_calls(stream.choice(task.held_out, count), stream.choice(terms, count),
                      stream.random(count).round(2), "random", run)  # fmt: skip


SETTINGS = EvaluationSettings(bootstrap=200)


def test_a_calls_table_is_judged_as_cafaeval_judges_the_submission(task, stream, tmp_path):
    """The written submission is what cafaeval reads, and it finds what the evaluator finds."""
    calls = random_calls(stream, task)
    write_table(calls, "calls", tmp_path / "calls.parquet")
    (tmp_path / "said").mkdir()
    write_table(task.annotations, "annotations", tmp_path / "annotations.parquet")
    dev = calls[:20].assign(protein="of another part")
    write_table(pd.concat([calls, dev]), "calls", tmp_path / "both.parquet")
    made = run_script(
        "go_submission", "--calls", tmp_path / "both.parquet", "--author", "TEAM",
        "--annotations", tmp_path / "annotations.parquet",
        "--submission", tmp_path / "said" / "team_1.txt",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    lines = (tmp_path / "said" / "team_1.txt").read_text().splitlines()
    assert lines[:3] == ["AUTHOR TEAM", "MODEL 1", "KEYWORDS machine learning."]
    assert lines[-1] == "END" and len(lines) == len(calls) + 4
    rows = task.annotations
    truth = rows[(rows["part"] == "test") & ~rows["negative"]]
    truth[["protein", "term"]].to_csv(tmp_path / "t.tsv", sep="\t", header=False, index=False)
    task.terms[["term", "information"]].to_csv(
        tmp_path / "ia.tsv", sep="\t", header=False, index=False
    )
    theirs, top = cafa_eval(str(tmp_path / "o.obo"), str(tmp_path / "said"),
                            str(tmp_path / "t.tsv"), ia=str(tmp_path / "ia.tsv"),
                            no_orphans=True)  # fmt: skip
    asked = questions(task.terms, task.annotations)
    assert [q.name for q in asked] == ["mfo", "bpo"]
    for question, namespace in zip(
        asked, ("molecular_function", "biological_process"), strict=True
    ):
        result = evaluate(read_calls(tmp_path / "calls.parquet"), question, SETTINGS, 1)
        best = {m: top[m].xs(namespace, level="ns")[m].item() for m in ("f", "f_w")}
        assert result.row["fmax"] == pytest.approx(best["f"], abs=1e-9)
        assert result.row["weighted_fmax"] == pytest.approx(best["f_w"], abs=1e-9)
        table = theirs.xs(namespace, level="ns")
        assert result.row["smin"] == pytest.approx(table["s_w"].min(), abs=1e-9)
        assert result.row["fmax_low"] <= result.row["fmax"] <= result.row["fmax_high"]
        assert len(curve_table(result)) == len(table)


def test_identity_classes_divide_the_test_proteins(task, stream, tmp_path):
    write_table(random_calls(stream, task), "calls", tmp_path / "calls.parquet")
    question = questions(task.terms, task.annotations)[0]
    result = evaluate(read_calls(tmp_path / "calls.parquet"), question, SETTINGS, 1)
    known = dict(zip(question.proteins, [0.0, 0.29, 0.3, 0.59, 0.6, 1.0, np.nan], strict=False))
    rows = by_identity(result, question, known)
    count = {row["identity"]: row["proteins"] for row in rows}
    total = len(question.proteins)
    assert count == {"< 30 %": 2, "30–60 %": 2, "≥ 60 %": 2, "no hit": total - 6}
    (whole,) = by_identity(result, question, dict.fromkeys(question.proteins, 0.5))
    assert whole["fmax"] == result.row["fmax"] and whole["smin"] == result.row["smin"]


def test_known_negatives_are_counted(task, tmp_path):
    rows = task.annotations[task.annotations["negative"]]
    question = next(
        q for q in questions(task.terms, task.annotations) if q.name == rows["ontology"].iloc[0]
    )
    assert len(question.negatives[0]) == 1
    protein, term = rows[["protein", "term"]].iloc[0]
    right = task.annotations[(task.annotations["protein"] == protein)
                             & ~task.annotations["negative"]]["term"]  # fmt: skip
    for wrong, expected in (([term], 1), ([], 0)):
        labels = [*right, *wrong]
        calls = term_calls([protein] * len(labels), labels, [0.9] * len(labels), "m", "r")
        write_table(calls, "calls", tmp_path / "calls.parquet")
        result = evaluate(read_calls(tmp_path / "calls.parquet"), question, SETTINGS, 1)
        assert result.row["negatives"] == 1 and result.row["negatives_called"] == expected


def test_calls_that_cannot_be_judged_are_refused(task, stream, tmp_path):
    path = tmp_path / "calls.parquet"
    calls = random_calls(stream, task)
    write_table(calls.assign(score=2.0), "calls", path)
    with pytest.raises(InputError, match=r"calls\.parquet: scores from 2\.0 to 2\.0"):
        read_calls(path)
    write_table(pd.concat([calls, calls.assign(run="other")]), "calls", path)
    with pytest.raises(InputError, match="one was expected"):
        read_calls(path)
    write_table(task.proteins, "proteins", path)
    with pytest.raises(InputError, match="are not those of table 'calls'"):
        read_calls(path)
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="not readable as Parquet"):
        read_calls(path)


def test_the_report_item_shows_what_was_measured(task, stream, tmp_path):
    rows, classes, curves = [], [], []
    for method in ("one", "two"):
        write_table(random_calls(stream, task).assign(method=method), "calls", tmp_path / "c")
        for question in questions(task.terms, task.annotations):
            result = evaluate(read_calls(tmp_path / "c"), question, SETTINGS, 1)
            rows.append(result.row)
            classes += by_identity(result, question, {})
            curves.append(curve_table(result))
    table = pd.DataFrame(rows)
    figure = draw(pd.concat(curves, ignore_index=True))
    assert [len(axis.get_lines()) for axis in figure.axes] == [4] * 4  # a line and a dot each
    summary = {"ontologies": summarise(task)}
    item = describe(table, pd.DataFrame(classes), summary)
    best = table[table["ontology"] == "mfo"]["fmax"].max()
    assert f"Highest Fmax: {best:.3f}" in item.text[0]
    known = table.groupby("ontology")["negatives"].max().sum()
    assert f"Known not to hold (NOT) are {known} facts" in item.text[-1]
    assert f"the 2 methods call one {table['negatives_called'].sum()} times" in item.text[-1]
    shown = cells(item, table)
    assert {row[0]["text"] for row in shown} == {"MFO", "BPO"}
    assert len(shown) == 4 and shown[0][4]["text"] == f"{table['fmax'][0]:.3f}"


def test_results_by_identity_are_drawn_and_said():
    identity = pd.DataFrame(
        [("mfo", method, label, 9, value)
         for method, values in {BIT_SCORE_VOTE: (0.0, 0.7), RANKING: (0.4, 0.6)}.items()
         for label, value in zip(("no hit", "≥ 60 %"), values, strict=True)],
        columns=["ontology", "method", "identity", "proteins", "fmax"],
    )  # fmt: skip
    axis, *others = go_identity.draw(identity).axes
    assert not others and len(axis.get_lines()) == 2
    assert axis.get_lines()[0].get_ydata()[[0, 3]].tolist() == [0.0, 0.7]
    assert [tick.get_text().split("\n")[1] for tick in axis.get_xticklabels()] == [
        "(9)", "(0)", "(0)", "(9)",
    ]  # fmt: skip
    assert go_identity.describe(identity).text == [
        f"Molecular function: without a hit {RANKING} leads (0.400; {BIT_SCORE_VOTE} 0.000), "
        f"at 60 % identity or more {BIT_SCORE_VOTE} leads (0.700)."
    ]
    go_identity.draw(identity[:0])


def test_tables_come_back_with_empty_places(tmp_path):
    write_table(term_calls(["P1"], ["GO:1"], [0.5], "m", "r"), "calls", tmp_path / "c")
    table = read_table("calls", tmp_path / "c")
    assert table["start"].isna().all() and table["score"].tolist() == [0.5]


def test_ontology_of_terms_is_the_whole_ontology(task, tmp_path):
    assert ontology_of(task.terms).terms == read_obo(tmp_path / "o.obo").terms


@pytest.mark.parametrize(
    ("fmax", "said"),
    [
        ({"network, ontology built in": 0.5, BIT_SCORE_VOTE: 0.4, NETWORK_AND_VOTE: 0.6}, []),
        # A combination that leads is no network that leads.
        (
            {"network, ontology built in": 0.3, BIT_SCORE_VOTE: 0.4, NETWORK_AND_VOTE: 0.6},
            ["No network alone calls GO terms better than neighbours by bit score"],
        ),
        (
            {"network, ontology built in": 0.3, FREQUENCIES: 0.35, BIT_SCORE_VOTE: 0.2},
            ["No network alone calls GO terms better than their training frequencies"],
        ),
        (
            {BIT_SCORE_VOTE: 0.7, NETWORK_AND_VOTE: 0.5, RANKING: 0.6},
            ["No combination of methods calls GO terms better than neighbours by bit score"],
        ),
    ],
)
def test_what_fell_short_is_said_of_networks_and_of_combinations(fmax, said):
    table = pd.DataFrame(
        [("mfo", method, value) for method, value in fmax.items()],
        columns=["ontology", "method", "fmax"],
    )
    assert shortfalls(table) == [f"{sentence}: molecular function." for sentence in said]
