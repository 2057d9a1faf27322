import math
import re
import sys

import pandas as pd
import pytest

from conftest import ROOT
from pfamformer.config import EvaluationSettings
from pfamformer.methods import FITTED, GATHERING, PROFILES, TAGGER
from pfamformer.report import localisation
from pfamformer.report.cost import costs
from pfamformer.report.items import Item, said
from pfamformer.report.page import with_own_ids
from pfamformer.report.summary import Sentence, best_network, summarise
from pfamformer.report.table_3 import COLUMNS, describe

sys.path.insert(0, str(ROOT / "workflow"))
from draw_rulegraph import draw, place, without_shortcuts

TABLE = pd.DataFrame(
    [
        ["top-pick pHMM", "profile_hmm", "baseline", "none", 88.0, 80.0, 94.0, math.nan],
        ["classic", "classic", "network", "pretrained", 30.0, 25.0, 35.0, 1e-9],
        ["linattn", "", "", "", math.nan, math.nan, math.nan, math.nan],
    ],
    columns=["method", "run", "kind", "start", "accuracy", "accuracy_low", "accuracy_high",
             "p_against_phmm"],
)  # fmt: skip


def certificate(leaks):
    return {
        "parts": {"train": 100, "dev": 10, "test": 20},
        "leaking_rows": leaks,
        "definition": {
            "kind": "search",
            "min_identity": 0.25,
            "min_coverage_of_both": 0.8,
            "min_bits": 40.0,
        },
    }


def summary(
    table=TABLE, gain=(5.0, 1.0, 9.0), loss=2.0, leaks=0, runs=("classic",), items=(), own=None
):
    pretraining = {"small": {"parameters": 1234, "residues_read": 2_500_000, "device": "CPU",
                             "threads": 1, "processes": 1, "residue_entropy": 2.9,
                             "context_free_loss": 2.7}}  # fmt: skip
    return summarise(
        {"runs": {name: {"kind": "finetune", "head": "classic"} for name in runs},
         "sources": {"provider": "embedded", "families": own}, "combinations": {}},
        pd.DataFrame({"domains": [60, 70]}),
        {"clustered": certificate(leaks), "random": certificate(12)},
        pretraining,
        {"small": loss},
        table,
        [dict(zip(("gain", "low", "high"), gain, strict=True), method="classic")],
        items,
    )  # fmt: skip


def text(sentences):
    return "\n".join(sentence.text for sentence in sentences)


def test_sentences_follow_the_numbers():
    said = summary()
    assert said.run[0].startswith("130 domains of 2 Pfam families, of which 100 train, 10 tune")
    assert "2.5 million residues on 1 CPU core." in said.run[1]
    found = text(said.findings)
    assert "None of the 30 held-out domains" in found and "12 of 30 do" in found
    assert "is 2.00 nats, 0.70 nats under the 2.70" in found and "learnt from the context" in found
    assert "-58.0 percentage points (McNemar's test, p < 0.0001)" in found
    assert "Pretraining helps with classic (+5.0 percentage points, +1.0 to +9.0)." in found
    short = text(said.shortfalls)
    assert "the best is 58.0 points below" in short and "interval of 14 percentage points" in short
    assert "not run in this configuration: linattn" in short and "trained once" in short


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"gain": (-5.0, -9.0, -1.0)}, "findings", "Pretraining hurts with classic"),
        ({"gain": (-5.0, -9.0, -1.0)}, "shortfalls", "makes classic worse than a random start"),
        ({"gain": (1.0, -2.0, 3.0)}, "shortfalls", "cannot be told for classic"),
        ({"loss": 3.0}, "findings", "it has learnt nothing from the context"),
        ({"leaks": 2}, "findings", "2 of the 30 held-out domains of the clustered split resemble"),
    ],
)
def test_other_numbers_other_sentences(changes, where, words):
    assert words in text(getattr(summary(**changes), where))


def test_what_is_not_there_is_not_said():
    found = summary(table=TABLE.iloc[:1], runs=("a_seed1", "a_seed2"), loss=math.nan)
    everything = text(found.findings + found.shortfalls)
    assert "best network" not in everything and "perplexity" not in everything
    assert "trained once" not in everything
    assert best_network(TABLE.iloc[:1]) is None


def test_items_bring_their_own_sentences():
    item = Item("x", "data", "T", "C", findings=["It is so."], shortfalls=["It is not so."])
    found = summary(items=[item])
    assert found.findings[-1] == Sentence("It is so.", "x", "T")
    assert found.shortfalls[-1] == Sentence("It is not so.", "x", "T")


def test_a_sentence_stands_where_its_numbers_put_it():
    assert said(True, "seen", "not seen") == {"findings": ["seen"]}
    assert said(False, "seen", "not seen") == {"shortfalls": ["not seen"]}


def test_the_most_important_sentences_lead_and_the_others_follow_the_page():
    names = ("figure_9", "table_7", "table_1", "go_baselines", "localisation")
    found = summary(
        items=[
            Item(n, "function" if n[0] == "t" else "analyses", n, "C", findings=[n], shortfalls=[n])
            for n in names
        ]
    )
    sources = list(dict.fromkeys(sentence.source for sentence in found.findings))
    assert sources == ["split", "table_3", "figure_6", "localisation", "go_baselines", "table_1",
                       "figure_9", "table_7"]  # fmt: skip
    # What the page does not show gets no link.
    titles = {sentence.source: sentence.title for sentence in found.findings}
    assert titles["table_3"] == "" and titles["split"] == "Split and leakage"
    assert titles["table_7"] == "table_7"
    assert "data" in {sentence.source for sentence in found.shortfalls}


# A protein and its domain, which is not all of it.
PARTLY = (
    pd.DataFrame({"id": ["A"], "protein": "A", "part": "test", "kind": "protein", "start": 1,
                  "end": 9, "sequence": "M" * 9}),
    pd.DataFrame({"protein": ["A"], "start": 2, "end": 9}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("tagger", "where", "words"),
    [
        ((70, 60, 80, 90), "findings", "F1 70.0 % and 40.0 %"),
        ((45, 35, 55, 90), "shortfalls", "does not find more domains"),
        ((0, 0, 0, 0), "shortfalls", "No tagger calls any domain at its threshold"),
        (None, "shortfalls", "No tagger was trained"),
    ],
)
def test_only_a_tagger_above_the_profile_hmm_is_a_finding(tagger, where, words):
    f1 = [(40, 30, 50, 90), (20, 10, 30, 30), *([tagger] if tagger else [])]
    table = pd.DataFrame(f1, columns=["f1_at_50", "f1_at_50_low", "f1_at_50_high", "calls"])
    table["method"] = [PROFILES, PROFILES, TAGGER][: len(table)]
    table["run"] = [FITTED, GATHERING, "mine"][: len(table)]
    table["domains"], table["proteins"], table["dev_precision"] = 9, 8, 50.0
    for end, apart in (("", 0), ("_low", -5), ("_high", 5), ("_p", 0)):
        table[f"f1_gain_at_50{end}"] = table["f1_at_50"] - 40 + apart
    item = localisation.describe(table, *PARTLY, EvaluationSettings())
    assert words in getattr(item, where)[0] and len(item.findings + item.shortfalls) == 1


@pytest.mark.parametrize(("start", "alone"), [(1, True), (2, False)])
def test_domains_without_their_proteins_show_nothing_of_places(start, alone):
    slices, domains = PARTLY[0], PARTLY[1].assign(start=start)
    table = pd.DataFrame(
        {"method": [PROFILES, PROFILES, TAGGER], "run": [FITTED, GATHERING, "mine"], "calls": 1}
    )
    for name in ("domains", "proteins", "dev_precision", "f1_at_50", "f1_gain_at_50",
                 "f1_gain_at_50_low", "f1_gain_at_50_high", "f1_gain_at_50_p"):  # fmt: skip
        table[name] = 1.0
    item = localisation.describe(table, slices, domains, EvaluationSettings())
    assert ("its domains and nothing else" in item.text[-1]) == alone
    assert (localisation.DOMAINS_ALONE in item.shortfalls) == alone
    assert len(item.findings) == (not alone)


def test_families_of_ones_own_are_not_said_to_be_pfams():
    said = summary(own={"file": "mine.tsv"})
    assert said.run[0].startswith("130 domains of 2 families, of which")
    assert "labelled by profile HMMs" not in text(said.shortfalls)
    assert "labelled by profile HMMs" in text(summary().shortfalls)


def test_ids_of_two_figures_do_not_meet():
    svg = '<svg><path id="a"/><use xlink:href="#a"/><g clip-path="url(#a)"/></svg>'
    assert re.findall(r"one-a", with_own_ids(svg, "one")) == ["one-a"] * 3
    assert not re.search(r'["#]a"', with_own_ids(svg, "one"))
    twice = '<svg><image id="a"/><image id="a"/></svg>'
    assert with_own_ids(twice, "one") == '<svg><image id="one-a"/><image/></svg>'


def test_shortcuts_are_left_out_of_the_rule_graph():
    edges = [("1", "2"), ("2", "3"), ("1", "3"), ("3", "4"), ("1", "4"), ("5", "4")]
    kept = without_shortcuts(edges)
    assert kept == [("1", "2"), ("2", "3"), ("3", "4"), ("5", "4")]
    nodes = {n: f"rule_{n}" for n in "12345"}
    places = place(nodes, kept)
    assert all(places[a][1] < places[b][1] for a, b in kept)
    assert len(set(places.values())) == 5
    assert draw(nodes, kept).count("<path") == 4


def test_table_3_says_what_its_comparisons_say():
    found = {
        "verdicts": [{"sentence": "One beats the other."}],
        "pretraining": [{"method": "classic", "gain": -1.0, "low": -3.0, "high": 2.0}],
        "split": [
            {"method": "top-pick pHMM", "split": name, "domains": 311, "without_hit": 4}
            for name in ("clustered", "random")
        ],
    }
    item = describe(found, 0.95)
    assert item.text[0] == "One beats the other."
    assert "-1.0 percentage points (-3.0 to +2.0): the interval holds zero" in item.text[-1]
    assert "311 test domains" in item.caption and "nothing for 4 of them" in item.caption
    assert {c.key for c in item.columns} <= set(COLUMNS)


def test_costs_are_those_of_the_last_time_that_each_job_ran(tmp_path):
    for name, lines in {
        "finetune/a": ["60\t30\t1024", "120\t90\t2048"],
        "finetune/b": ["60\t-\t512"],
        "split": ["30\t15\t100"],
    }.items():
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["s\tcpu_time\tmax_rss", *lines, ""]))
    first, second = costs(tmp_path).to_dict("records")
    assert first == {"rule": "finetune", "jobs": 2, "minutes": 3.0, "core_minutes": 1.5,
                     "gigabytes": 2.0}  # fmt: skip
    assert second["rule"] == "split" and second["core_minutes"] == 0.25
    assert costs(tmp_path / "nothing").empty
