"""The whole workflow on a few real families: outputs, resumption, agreement with HMMER."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file
from test_reruns import clone_of

from conftest import ROOT, TINY, snakemake
from hmmer_reference import compare_with_hmmer
from pfamformer.config import SourcesSettings
from pfamformer.report.items import read_item
from pfamformer.report.page import make_page
from pfamformer.tables import read_table


def test_results_are_complete_and_consistent(tiny):
    results = tiny / "results" / "tiny"
    domains = read_table("domains", results / "domains/domains.parquet")
    families = pd.read_csv(results / "domains/families.tsv", sep="\t")
    assert families["domains"].sum() == len(domains) and len(families) == 10
    for method in ("clustered", "random"):
        split = read_table("split", results / f"splits/{method}/split.parquet")
        assert set(split["id"]) == set(domains["id"])
    leakage = json.loads((results / "splits/clustered/leakage.json").read_text())
    assert leakage["leaking_pairs"] == 0
    assert json.loads((results / "splits/random/leakage.json").read_text())["leaking_pairs"] > 0
    metrics = pd.read_csv(results / "pretrain/small/metrics.tsv", sep="\t")
    assert metrics["step"].max() == 60 and set(metrics["part"]) == {"train", "valid"}
    assert not (results / "state/pretrain/small").exists() or not list(
        (results / "state/pretrain/small").rglob("*.safetensors")
    )
    for path in ("sources/go/go.obo", "sources/go/goa_human.gaf.gz", "sources/structures/3TGI.pdb"):
        assert (results / path).stat().st_size > 10_000
    table = pd.read_csv(results / "tables/table_3.tsv", sep="\t")
    assert table["accuracy"].notna().sum() == 12


def test_go_tables_are_those_of_the_task(tiny):
    results = tiny / "results" / "tiny"
    annotations = read_table("annotations", results / "tasks/go/annotations.parquet")
    positive = annotations[~annotations["negative"]]
    tested = positive[positive["part"] == "test"].groupby("ontology")["protein"].nunique()
    table = pd.read_csv(results / "tables/go_baselines.tsv", sep="\t")
    assert set(table["method"]) == {
        "naive frequencies", "neighbours, best identity", "neighbours, bit-score vote",
        "network, ontology built in", "network, independent terms", "nearest embeddings",
        "network and neighbours", "all methods, learned ranking",
    }  # fmt: skip
    recovered = pd.read_csv(results / "tables/table_7.tsv", sep="\t")
    inside = recovered["method"] == "network, ontology built in"
    assert (recovered.loc[inside, "share"].dropna() == 100).all() and inside.sum() == 9
    for name, rows in table.groupby("ontology"):
        assert set(rows["proteins"]) == {tested[name]}
        assert rows["fmax"].between(0.05, 1).all() and (rows["smin"] > 0).all()
    # No test protein is known in that ontology before: it is in no other part of it.
    parts = positive.groupby(["protein", "ontology"])["part"].nunique()
    assert (parts == 1).all()
    counted = pd.read_csv(results / "tables/table_6.tsv", sep="\t").set_index("ontology")
    for name, proteins in positive[positive["direct"]].groupby("ontology")["protein"]:
        assert counted.loc[name.upper(), "proteins"] == proteins.nunique()


def test_every_analysis_has_figure_numbers_and_words(tiny):
    results = tiny / "results" / "tiny"
    names = [f"figure_{n}" for n in (7, 8, 10, 11, 12, 13, 14)]
    names += ["table_5", "frequencies", "probe", "separation", "orthologues"]
    items = [results / "analysis/small" / f"{name}.json" for name in names]
    items += [results / "figures/figure_9.json", results / "tables/table_1.json"]
    page = (results / "report.html").read_text()
    for path in items:
        item = read_item(path)
        assert item.name == path.stem and item.text
        assert not any(word in " ".join(item.text) for word in ("nan", "None"))
        numbers = pd.read_csv(path.parent / item.numbers, sep="\t")
        assert len(numbers) and {c.key for c in item.columns} <= set(numbers.columns)
        assert item.figure is None or (path.parent / item.figure).stat().st_size > 1000
        assert f'id="{item.name.replace("_", "-")}"' in page
    planned = snakemake(tiny, "-n", *names, "table_1", "figure_9", *TINY)
    assert "Nothing to be done" in planned.stdout + planned.stderr


def test_profile_hmm_agrees_with_the_hmmer_programs(tiny, tmp_path):
    compare_with_hmmer(tiny / "results" / "tiny", tmp_path, "clustered")
    compare_with_hmmer(tiny / "results" / "tiny", tmp_path, "random")


def forget(folder: Path) -> None:
    subprocess.run(["rm", "-r", folder / "results/tiny/pretrain"], check=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_pretraining_ends_with_the_same_weights(tiny, tmp_path, how):
    folder = clone_of(tiny, tmp_path)
    expected = load_file(folder / "results/tiny/pretrain/small/weights.safetensors")
    forget(folder)
    target = "results/tiny/pretrain/small/weights.safetensors"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", target, *TINY]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    state = folder / "results/tiny/state/pretrain/small"
    deadline = time.monotonic() + 120
    while not list(state.rglob("step_*.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None, "no state was saved"
        time.sleep(0.01)
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)  # Snakemake and the job
    else:
        jobs = subprocess.run(
            ["pgrep", "-g", str(process.pid), "-f", "scripts/pretrain.py"],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        os.kill(int(jobs[-1]), how)
    process.wait(timeout=120)
    assert not (folder / target).exists(), "it ended before it was killed"
    saved = {path.name for path in state.rglob("step_*.safetensors")}
    assert saved
    ended = snakemake(folder, "--cores", 2, "--rerun-incomplete", "--nolock", target, *TINY)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "resuming at step" in (folder / "logs/tiny/pretrain/small.log").read_text()
    found = load_file(folder / target)
    assert all(bool((found[name] == expected[name]).all()) for name in expected)


def test_report_states_what_the_files_say(tiny):
    page = (tiny / "results/tiny/report.html").read_text()
    table = pd.read_csv(tiny / "results/tiny/tables/table_3.tsv", sep="\t").dropna(
        subset="accuracy"
    )
    for row in table.itertuples():
        assert f"{row.accuracy:.1f}" in page
    for text in ("labelled by profile HMMs", "78.8", "81.9", "<svg", "learning_rate"):
        assert text in page
    # Names of XML vocabularies look like addresses; nothing else may.
    vocabularies = ("www.w3.org", "purl.org", "creativecommons.org")
    hosts = set(re.findall(r"https?://([\w.-]+)", page))
    assert hosts <= set(vocabularies), hosts
    assert len(page) < 5_000_000


@pytest.mark.parametrize("offline", [None, "/data/databases"])
def test_a_report_on_downloaded_sources_names_their_sites(tiny, tmp_path, offline):
    given = yaml.safe_load((ROOT / "config/full.yaml").read_text())["sources"]
    given["pfam"]["offline"] = offline
    folder = shutil.copytree(tiny / "results/tiny", tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    config["sources"] = SourcesSettings.model_validate(given).model_dump(mode="json")
    (folder / "config.json").write_text(json.dumps(config))
    items = sorted(folder.rglob("table_[0-9].json"))
    page = make_page(folder, items, ROOT / "workflow/report/page.html.j2", "")
    assert "ftp.ebi.ac.uk/pub/databases/Pfam/releases" in page and "Pfam38.2" in page
    assert ("out of <code>/data/databases</code>" in page) == bool(offline)
    assert "labelled by profile HMMs" not in page
