import json
import math

import numpy as np
import pandas as pd
import pytest
import yaml
from test_config import BASE, changed, merged

from conftest import ROOT
from pfamformer.config import AblationSettings, EvaluationSettings, group_of, resolve
from pfamformer.errors import InputError
from pfamformer.evaluation.ablation import COLUMNS, make_table, training_seconds
from pfamformer.evaluation.classification import unpaired_difference
from pfamformer.report.ablation import describe, draw
from pfamformer.tables import read_table, write_table

OVERLAYS = sorted((ROOT / "config" / "ablations").glob("*.yaml"))
SETTINGS = EvaluationSettings(bootstrap=300)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
@pytest.mark.parametrize("below", [(), ("tiny.yaml",), ("full.yaml",)], ids=str)
def test_every_overlay_resolves_and_only_names_runs(overlay, below):
    content = yaml.safe_load(overlay.read_text())
    assert set(content) <= {"ablations", "combinations", "runs"}
    project = resolve(merged("config.yaml", *below, f"ablations/{overlay.name}"))
    assert overlay.stem in project.ablations
    plain = resolve(merged("config.yaml", *below))
    assert all(project.runs[name] == run for name, run in plain.runs.items())


def test_what_has_read_held_out_domains_stands_in_ablations_only():
    raw = merged("config.yaml", "ablations/leakage.yaml")
    project = resolve(raw)
    leaking = {name for name in project.runs if project.leaks(name)}
    assert leaking == {"leaky", "dropout_leaky_start"}
    raw["runs"]["student"] = {"kind": "pretrain", "objective": "distillation", "teacher": "leaky"}
    raw["runs"]["taught"] = {"kind": "finetune", "head": "dropout", "start_from": "student"}
    raw["runs"]["untrained"] = dict(raw["runs"]["dropout_leaky_start"], weights="untrained")
    assert {name for name in resolve(raw).runs if resolve(raw).leaks(name)} == leaking | {
        "student", "taught",
    }  # fmt: skip
    raw["runs"]["tagger"] = {"kind": "tagger", "start_from": "leaky"}
    raw["evaluation"]["embed"] = ["taught"]
    raw["combinations"]["both"] = {"members": ["taught", "dropout"], "rule": "probability"}
    with pytest.raises(InputError) as refused:
        resolve(raw)
    for message in (
        "runs.tagger.start_from: 'leaky' has read held-out domains",
        "evaluation.embed: 'taught' knows held-out domains",
        "combinations.both.members: 'taught' knows held-out domains",
    ):
        assert message in str(refused.value)


def test_a_run_with_seeds_becomes_one_run_per_seed():
    raw = changed("runs.small.seeds", [3, 5])
    raw["runs"]["classic"]["seeds"] = [3, 5]
    project = resolve(raw)
    assert list(project.runs) == ["small_seed3", "small_seed5", "classic_seed3", "classic_seed5"]
    assert project.runs["classic_seed5"].start_from == "small_seed5"
    assert project.runs["classic_seed5"].seed == 5
    assert project.replicates("classic") == ["classic_seed3", "classic_seed5"]
    assert group_of("classic_seed3") == group_of("classic")
    assert resolve(changed("defaults.finetune.seeds", [1, 2])).replicates("classic") == [
        "classic_seed1",
        "classic_seed2",
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "runs.small.seeds",
            [1, 2],
            "runs.classic.start_from: must be one of the pretraining runs",
        ),
        ("runs.classic.seeds", "three", "runs.classic.seeds: "),
        ("runs.classic.seeds", [-1], "runs.classic_seed-1.seed: must be >= 0"),
        (
            "ablations.a",
            {"question": "Q", "base": "classic", "runs": ["clasic"]},
            "ablations.a: 'clasic' is no fine-tuning run; did you mean 'classic'?",
        ),
        (
            "ablations.a",
            {"question": "Q", "base": "classic", "runs": ["small"]},
            "ablations.a: 'small' is no fine-tuning run",
        ),
        (
            "ablations.a",
            {"question": "Q", "base": "classic", "runs": ["classic"], "compare_with": ["x"]},
            "ablations.a.compare_with.0: ",
        ),
    ],
)
def test_problems_of_seeds_and_ablations_name_their_path(path, value, message):
    with pytest.raises(InputError) as error:
        resolve(changed(path, value))
    assert message in str(error.value)


def write_run(results, project, run, right, split, **settings):
    """A finished run: predictions that are right where ``right`` says so, and its cost."""
    folder, raw = results / project, json.loads(json.dumps(BASE))
    raw["runs"]["classic"] |= settings
    found = resolve(raw)
    for kind, name, source in (("pretrain", "small", "small"), ("finetune", run, "classic")):
        (folder / "runs" / name).mkdir(parents=True, exist_ok=True)
        (folder / kind / name).mkdir(parents=True, exist_ok=True)
        text = json.dumps(found.runs[source].model_dump())
        (folder / "runs" / name / "config.json").write_text(text)
        summary = {"parameters": 7, "residues_read": 1000, "device": "CPU", "processes": 2,
                   "threads": 3}  # fmt: skip
        (folder / kind / name / "summary.json").write_text(json.dumps(summary))
        (folder / kind / name / "metrics.tsv").write_text(
            "step\tpart\ttokens\tloss\ttokens_per_second\n"
            "0\tvalid\t0\t3\t\n1\ttrain\t400\t2\t100\n2\ttrain\t1000\t2\t300\n2\tvalid\t1000\t1.5\t\n"
        )
    (folder / "splits/clustered").mkdir(parents=True, exist_ok=True)
    write_table(split, "split", folder / "splits/clustered/split.parquet")
    predictions = pd.DataFrame(
        {
            "id": split["id"],
            "truth": split["family"],
            "predicted": np.where(right, split["family"], ""),
            "score": 1.0,
            "method": "classic",
            "run": run,
        }
    )
    write_table(predictions, "predictions", folder / "finetune" / run / "predictions.parquet")


def test_split(rows, prefix=""):
    return pd.DataFrame(
        {
            "id": [f"{prefix}{i}" for i in range(rows)],
            "family": [f"PF{i % 4}" for i in range(rows)],
            "component": [i // 2 for i in range(rows)],
            "part": "test",
            "nearest_train_identity": 0.1,
        }
    )


test_split.__test__ = False


def compared(results, ablation, replicates):
    return make_table(results, "one", AblationSettings(**ablation), replicates, SETTINGS, 1)


def test_a_comparison_reads_runs_seeds_other_projects_and_cost(tmp_path, stream):
    split, other = test_split(40), test_split(60, "o")
    base, better = stream.random(40) < 0.4, np.ones(40, bool)
    write_run(tmp_path, "one", "base", base, split)
    write_run(tmp_path, "one", "more_seed1", better, split, epochs=5)
    write_run(tmp_path, "one", "more_seed2", base, split, epochs=5)
    write_run(tmp_path, "two", "same", base, split, weights="untrained")
    write_run(tmp_path, "three", "far", stream.random(60) < 0.9, other)
    ablation = {"question": "Q?", "base": "base", "runs": ["more"],
                "compare_with": ["two/same", "three/far"]}  # fmt: skip
    table = compared(tmp_path, ablation, {"base": ["base"], "more": ["more_seed1", "more_seed2"]})
    assert list(table.columns) == COLUMNS
    rows = table.set_index("run")
    assert list(rows.index) == ["base", "more", "two/same", "three/far"]
    assert math.isnan(rows.loc["base", "delta"]) and rows.loc["base", "differs"] == ""
    assert rows.loc["more", "differs"] == "epochs 5" and rows.loc["more", "seeds"] == 2
    assert rows.loc["more", "accuracy"] == pytest.approx(50 * (1 + base.mean()))
    assert rows.loc["more", "delta"] == pytest.approx(50 * (1 - base.mean()))
    expected = np.std([100, 100 * base.mean()], ddof=1)
    assert rows.loc["more", "accuracy_sd"] == pytest.approx(expected)
    assert rows.loc["more", "delta_low"] > 0
    assert rows.loc["two/same", "delta"] == 0 and rows.loc["two/same", "paired"] == "yes"
    assert rows.loc["two/same", "differs"] == "weights untrained"
    assert rows.loc["two/same", "pretraining_hours"] == 0
    assert math.isnan(rows.loc["two/same", "perplexity"])
    assert rows.loc["three/far", "paired"] == "no"
    # 400 residues at 100/s and 600 at 300/s, on 2 processes of 3 cores
    assert rows.loc["base", "hours"] == pytest.approx(6 * 6 / 3600)
    assert rows.loc["base", "residues"] == 2000
    assert rows.loc["base", "perplexity"] == pytest.approx(math.exp(1.5))
    item = describe("heads", "Q?", table, 0.95)
    assert "better than the base run" in item.text[1] and "2 seeds" in item.text[1]
    assert "three/far" in item.text[-1] and item.section == "ablations"
    assert {c.key for c in item.columns} <= set(table.columns)
    assert [t.get_text() for t in draw(table).axes[0].get_yticklabels()] == list(rows.index)


def test_an_unfinished_run_of_another_project_is_named(tmp_path):
    split = test_split(8)
    write_run(tmp_path, "one", "base", np.ones(8, bool), split)
    ablation = {"question": "Q", "base": "base", "runs": ["base"], "compare_with": ["two/gone"]}
    with pytest.raises(InputError, match=r"two/finetune/gone/summary\.json: no such file"):
        compared(tmp_path, ablation, {"base": ["base"]})


def test_unpaired_interval_is_that_of_independent_resampling(stream):
    """Against the normal approximation for many components of one domain each."""
    tables = [
        pd.DataFrame({"component": range(4000), "right": stream.random(4000) < share})
        for share in (0.7, 0.5)
    ]
    found = unpaired_difference(*tables, draws=2000, confidence=0.95, seed=1)
    means = [t["right"].mean() for t in tables]
    half = 1.96 * math.sqrt(sum(m * (1 - m) / 4000 for m in means))
    assert found.value == pytest.approx(means[0] - means[1])
    assert found.low == pytest.approx(found.value - half, abs=0.15 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.15 * half)


def test_seconds_of_a_resumed_run_add_up():
    metrics = pd.DataFrame(
        {"part": ["train", "valid", "train"], "tokens": [100, 100, 300],
         "tokens_per_second": [10.0, math.nan, 100.0]}
    )  # fmt: skip
    assert training_seconds(metrics) == pytest.approx(12)


def test_a_combination_costs_all_its_members_and_pretraining_once(tmp_path, stream):
    split = pd.DataFrame(
        {"id": [f"d{i}" for i in range(40)], "family": "F", "component": range(40),
         "part": "test", "nearest_train_identity": 0.0}
    )  # fmt: skip
    rights = [stream.random(40) < 0.5 for _ in range(2)]
    for run, right in zip(("one", "two"), rights, strict=True):
        write_run(tmp_path, "p", run, right, split)
    folder = tmp_path / "p" / "combinations" / "both"
    folder.mkdir(parents=True)
    predictions = read_table("predictions", tmp_path / "p/finetune/one/predictions.parquet")
    predictions["predicted"] = np.where(rights[0] | rights[1], "F", "")
    write_table(predictions, "predictions", folder / "predictions.parquet")
    table = make_table(
        tmp_path, "p", AblationSettings(question="?", base="one", runs=["both"]),
        {"one": ["one"], "both": ["one", "two"]}, SETTINGS, 1, ["both"],
    ).set_index("run")  # fmt: skip
    assert table.loc["both", "accuracy"] == pytest.approx(100 * (rights[0] | rights[1]).mean())
    assert table.loc["both", "hours"] == pytest.approx(2 * table.loc["one", "hours"])
    pretraining = table["pretraining_hours"]
    assert pretraining["both"] == pytest.approx(pretraining["one"]) and pretraining["one"] > 0
    assert table.loc["both", "parameters"] == 14 and "members" in table.loc["both", "differs"]
