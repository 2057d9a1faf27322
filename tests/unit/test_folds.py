"""Remote homology: its tables, profiles of folds, table 4."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score

from conftest import mutate, random_sequence, shared_data
from pfamformer.config import EvaluationSettings, FoldSettings, NetworkSettings, PretrainSettings
from pfamformer.errors import InputError
from pfamformer.methods.outputs import best_of, parts_of
from pfamformer.methods.profile_hmm import build_profiles, search
from pfamformer.report.items import cells
from pfamformer.report.table_4 import describe, make_table
from pfamformer.sequences.stockholm import read_stockholm
from pfamformer.tables import read_table
from pfamformer.tasks.fold_alignments import write_alignments
from pfamformer.tasks.folds import HOLDOUTS, domains_of_task, split_of_task
from pfamformer.tasks.tabular import read_tape_tsv
from pfamformer.training.finetuning import finetune
from pfamformer.training.starts import Trained, untrained

PARTS = ["train"] * 5 + ["dev", "test_fold", "test_superfamily", "test_family"]


@pytest.fixture
def task(stream):
    """Three folds of nine relatives each; names that differ in a sign only, and odd residues."""
    rows = []
    for fold in ("a.1", "b.40", "7"):
        ancestor = random_sequence(stream, 80) + "UX"
        for i, part in enumerate(PARTS):
            name = f"{part}/d{i // 2}{'/_'[i % 2]}"
            rows.append((name, mutate(stream, ancestor, 0.25), fold, np.nan, part))
    table = pd.DataFrame(rows, columns=["id", "sequence", "label", "value", "part"])
    return table.sample(frac=1, random_state=1).reset_index(drop=True)


def test_domains_and_split_hold_the_whole_task(task):
    domains = domains_of_task(task)
    split = split_of_task(task, domains)
    assert domains["id"].is_unique
    assert domains[["sequence", "family"]].to_numpy().tolist() == (
        task[["sequence", "label"]].to_numpy().tolist()
    )
    assert (domains["end"] == domains["sequence"].str.len()).all()
    parts = parts_of(domains, split)
    for part in ("train", "dev", "test"):
        expected = task.loc[task["part"].str.startswith(part), "sequence"]
        assert parts[part]["sequence"].tolist() == expected.tolist()


def test_a_task_without_folds_or_holdouts_is_refused(task):
    with pytest.raises(InputError, match="no domain in part test"):
        domains_of_task(task[task["part"].isin(["train", "dev"])])
    task.loc[3, "label"] = ""
    with pytest.raises(InputError, match="a domain without a fold"):
        domains_of_task(task, "t")


def test_alignments_are_those_of_the_training_domains_and_profiles_find_relatives(task, tmp_path):
    domains = domains_of_task(task)
    split = split_of_task(task, domains)
    parts = parts_of(domains, split)
    path = tmp_path / "folds.sto.gz"
    write_alignments(parts["train"], path, 1)
    entries = list(read_stockholm(path))
    assert [entry.accession for entry in entries] == ["7", "a.1", "b.40"]
    aligned = {
        row.name.rpartition("/")[0]: row.aligned.replace(".", "").replace("-", "").upper()
        for entry in entries for row in entry.rows
    }  # fmt: skip
    training = parts["train"]
    assert aligned == dict(zip(training["protein"], training["sequence"], strict=True))
    built = list(build_profiles(path, set(training["id"]), 10, 1))
    assert [len(alignment.sequences) for _, alignment in built] == [5, 5, 5]
    found = best_of(search([hmm for hmm, _ in built], parts["test"], 1), parts["test"])
    assert found["family"].tolist() == parts["test"]["family"].tolist()
    # A part of the domains has the same hits, where E-values mean all of them.
    hmms, key = [hmm for hmm, _ in built], ["id", "family", "score"]
    whole = search(hmms, parts["test"], 1, second_pass=False)
    some = parts["test"][2:6].reset_index(drop=True)
    alone = search(hmms, some, 1, second_pass=False, database_size=len(parts["test"]))
    expected = whole[whole["id"].isin(some["id"])].sort_values(key)[key].values.tolist()
    assert alone.sort_values(key)[key].values.tolist() == expected


def predictions_of(domains, stream, share, run):
    wrong = stream.random(len(domains)) > share
    said = np.where(wrong, "other", domains["family"])
    return pd.DataFrame(
        {"id": domains["id"], "truth": domains["family"], "predicted": said, "score": 1.0,
         "method": "LSTM" if run.startswith("lstm") else "m", "run": run}
    )  # fmt: skip


def test_table_4_has_the_accuracies_of_scikit_learn(task, stream):
    domains = domains_of_task(task)
    held_out = task["part"].isin(HOLDOUTS).to_numpy()
    test, part = domains[held_out].reset_index(drop=True), task["part"][held_out]
    holdout = pd.Series(part.map(HOLDOUTS).to_numpy(), index=test["id"])
    tables = [predictions_of(test, stream, 0.6, f"lstm_seed{i}") for i in (1, 2, 3)]
    tables.append(predictions_of(test, stream, 0.5, "x"))
    settings = EvaluationSettings(bootstrap=200)
    table = make_table(tables, ["lstm"] * 3 + ["x"], holdout, settings, 1)
    assert len(table) == 6
    for row in table.itertuples():
        inside = (holdout == row.holdout).to_numpy()
        mine = tables[:3] if row.run == "lstm" else tables[3:]
        each = [100 * accuracy_score(t["truth"][inside], t["predicted"][inside]) for t in mine]
        assert row.accuracy == pytest.approx(np.mean(each))
        assert row.seeds == len(each)
        assert row.accuracy_low <= row.accuracy <= row.accuracy_high
        if len(each) > 1:
            assert row.accuracy_sd == pytest.approx(np.std(each, ddof=1))
    lstm = table[table["run"] == "lstm"].set_index("holdout")["published"]
    assert lstm["fold"] == 26 and lstm.drop("fold").isna().all()
    item = describe(table)
    assert len(cells(item, table)) == 6 and len(item.text) == 3
    assert item.findings == item.shortfalls == []  # nothing but trained networks to compare
    rows = [
        ["fold", method, run, 9, 3, 1, value, value, value, np.nan, np.nan]
        for method, run, value in (("LSTM", "a", 12.0), ("top-pick pHMM", "profile_hmm", 30.0))
    ]
    behind = describe(pd.DataFrame(rows, columns=table.columns))
    assert behind.shortfalls == [
        "No network leads in remote homology: 12.0 % of domains get their fold from LSTM, 30.0 % "
        "from top-pick pHMM (table 4, fold holdout)."
    ]
    with pytest.raises(InputError, match="predictions for 9 domains"):
        make_table([tables[0][1:]], ["x"], holdout, settings, 1)


def test_table_4_of_a_set_without_published_numbers(task, stream):
    """SCOPe's test part: one holdout, the best method first, nothing to compare it with."""
    domains = domains_of_task(task)[:9]
    holdout = pd.Series("superfamily-disjoint test", index=domains["id"])
    tables = [predictions_of(domains, stream, share, run) for share, run in ((0, "x"), (1, "lstm"))]
    table = make_table(tables, ["x", "lstm"], holdout, EvaluationSettings(bootstrap=100), 1)
    assert table["run"].tolist() == ["lstm", "x"] and table["published"].isna().all()
    item = describe(table)
    assert item.published == "" and "published" not in {column.key for column in item.columns}
    assert "Superfamily-disjoint test: " in item.caption and "Family holdout" not in item.caption
    assert item.text == [
        "Superfamily-disjoint test: 9 domains of 3 folds; best 100.0 %, LSTM (lstm)."
    ]


def test_table_4_without_a_data_set_says_what_it_needs():
    table = make_table([], [], pd.Series(dtype=object), EvaluationSettings(), 1)
    assert table.empty
    assert "config/remote_homology.yaml" in describe(table).text[0]


def test_a_frozen_encoder_keeps_its_weights_and_the_head_learns(task, tmp_path):
    domains = domains_of_task(task)
    network = NetworkSettings(layers=1, width=16, heads=2, feed_forward=16)
    start = PretrainSettings(
        kind="pretrain", corpus="pfam_domains", network=network, steps=1, tokens_per_batch=512,
        learning_rate=1e-3,
    )  # fmt: skip
    settings = FoldSettings(
        kind="fold", head="pool_mean", start_from="x", encoder_rate=0, epochs=150,
        tokens_per_batch=1024, learning_rate=1e-2, precision="float32",
    )  # fmt: skip
    finetune(
        settings, Trained(start, None), domains, split_of_task(task, domains),
        tmp_path / "state", tmp_path, 1, "frozen", 3,
    )  # fmt: skip
    kept = load_file(tmp_path / "weights.safetensors")
    for name, tensor in untrained(start).encoder.state_dict().items():
        assert torch.equal(kept[f"encoder.{name}"], tensor)
    metrics = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")
    assert metrics["loss"].iloc[-1] < np.log(3) / 2
    found = read_table("predictions", tmp_path / "predictions.parquet")
    assert accuracy_score(found["truth"], found["predicted"]) > 0.7


def test_the_partial_tape_set_becomes_domains(tmp_path):
    path = shared_data("remote_homology") / "tape_partial.tsv.gz"
    task = read_tape_tsv(path).task
    domains = domains_of_task(task)
    assert domains["id"].is_unique and len(domains) == 9431
    counts = task["part"].map(HOLDOUTS).value_counts().to_dict()
    assert counts == {"superfamily": 973, "family": 600, "fold": 544}
