"""What Snakemake plans: targets, configurations, and what an edit reruns."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, TINY, snakemake, working_copy
from pfamformer.dependencies import code_of

TARGETS = [
    "all", "sources", "domains", "localisation_data", "localisation", "splits", "corpora",
    "pretraining", "finetuning", "baselines", "table_3", "family_analysis", "figure_6", "report",
    "tasks", "table_4", "table_6", "table_7", "go_baselines", "go", "table_2", "model",
]  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return working_copy(tmp_path_factory.mktemp("copy"))


def pretend_sources(folder: Path, chunks: int) -> None:
    data = folder / "data" / "pfam"
    data.mkdir(parents=True, exist_ok=True)
    names = ["Pfam-A.seed.gz", "pfamseq.gz"]
    names += [f"uniparc_active_p{i}.fasta.gz" for i in range(1, chunks + 1)]
    for name in names:
        (data / name).touch()


@pytest.mark.parametrize("configuration", ["config", "tiny", "full", "own_families"])
def test_every_target_can_be_planned(copy, configuration):
    (copy / "data").mkdir(exist_ok=True)
    (copy / "data" / "domains.tsv.gz").touch()  # what own_families.yaml reads
    files = [] if configuration == "config" else ["--configfile", f"config/{configuration}.yaml"]
    # Together: one name that is unknown or cannot be made fails the whole plan, and says which.
    planned = snakemake(copy, *TARGETS, "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]


OVERLAYS = sorted(path.stem for path in (ROOT / "config" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_ablation_can_be_planned(copy, overlay):
    files = ("--configfile", f"config/ablations/{overlay}.yaml")
    planned = snakemake(copy, "ablation", "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    assert f"results/demo/ablations/{overlay}.tsv" in planned.stdout + planned.stderr


@pytest.mark.parametrize(
    ("overlays", "target", "source"),
    [(["remote_homology"], "table_4", "tape_partial.tsv.gz"),
     (["remote_homology", "scope"], "table_4", "scope_2.08_35.tsv.gz"),
     (["secondary_structure"], "tape", "secondary_structure")],
)  # fmt: skip
def test_tasks_of_overlays_can_be_planned(copy, overlays, target, source):
    (copy / "data" / source).mkdir(parents=True, exist_ok=True)
    files = [f"config/{overlay}.yaml" for overlay in overlays]
    planned = snakemake(copy, target, "-n", "--configfile", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    table = f"results/{overlays[-1]}/tables/{target}.tsv"
    assert table in planned.stdout + planned.stderr


def test_all_tasks_of_tape_are_learnt_from_its_archives(copy):
    files = ("--configfile", "config/full.yaml", "config/tape.yaml")
    planned = snakemake(copy, "table_4", "tape", "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", planned.stdout + planned.stderr, re.M))
    assert (jobs["task_file"], jobs["task_network"], jobs["fold_network"]) == ("5", "4", "12")


def test_full_plan_is_short(copy):
    planned = snakemake(copy, "-n", "--configfile", "config/full.yaml")
    total, *_ = re.findall(r"^total\s+(\d+)$", planned.stdout + planned.stderr, re.M)
    assert 200 < int(total) < 1000


def test_a_folder_of_files_is_used_as_it_lies(copy):
    pretend_sources(copy, 3)
    (copy / "data/pfam/Pfam-A.clans.tsv.gz").touch()
    (copy / "data/pfam/scope").mkdir()
    (copy / "data/pfam/scope/astral-40.fa").touch()
    (copy / "data/pfam/notes").mkdir()
    (copy / "data/pfam/notes/mine.txt").touch()
    settings = "sources={provider: files, files: {folder: data/pfam}, uniparc_chunks: 3}"
    ended = snakemake(copy, "sources", "--cores", 1, "--config", "project=folder", settings)
    assert ended.returncode == 0, ended.stderr[-2000:]
    linked = copy / "results/folder/sources"
    assert {str(p.relative_to(linked)) for p in linked.rglob("*") if p.is_file()} == {
        "Pfam-A.seed.gz", "pfamseq.gz", "Pfam-A.clans.tsv.gz", "scope/astral-40.fa",
        *(f"uniparc/uniparc_active_p{i}.fasta.gz" for i in (1, 2, 3)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("runs={small: {learning_rate: -1}}", "runs.small.learning_rate: must be > 0 (got -1)"),
        ("evalution={}", "evalution: unknown key; did you mean 'evaluation'?"),
        ("runs={small: {steps: 5}", "runs: must be a section of settings (got '{small"),
        ("query=tests", "query: tests: no file but a folder"),
    ],
)
def test_bad_configuration_stops_before_any_job(tmp_path, setting, message):
    folder = working_copy(tmp_path)
    ended = snakemake(folder, "--cores", 1, "--config", setting)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("annotate", "annotate needs a FASTA file: --config query=my.fasta"),
        ("ablation", "ablation needs comparisons: --configfile config/ablations/heads.yaml"),
        ("tabel_3", "no target 'tabel_3'; did you mean 'table_3'?"),
        ("table-3", "no target 'table-3'; did you mean 'table_3'?"),
    ],
)
def test_a_target_that_cannot_be_made_gets_one_sentence(tmp_path, target, message):
    ended = snakemake(working_copy(tmp_path), target, "-n")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1 and message in said
    assert "Exception" not in said and "Traceback" not in said


def planned_jobs(folder: Path, *arguments: str) -> dict[str, set[str]]:
    """Planned jobs as rule → reasons, without the jobs that only follow from others."""
    planned = snakemake(folder, "-n", *TINY, *arguments)
    assert planned.returncode == 0, planned.stderr[-2000:]
    text = planned.stdout + planned.stderr
    jobs: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule \w+:)", text)[1:]:
        name = re.match(r"(?:local)?rule (\w+):", block)[1]
        reason = re.search(r"reason: (.*)", block)[1]
        output = re.search(r"output: (\S+?),?(?:\s|$)", block)
        own = [r for r in reason.split("; ") if not r.startswith("Input files updated by another")]
        if own and name != "all":
            jobs.setdefault(name, set()).add(output[1] if output else "")
    return jobs


def clone_of(tiny: Path, folder: Path) -> Path:
    """A fresh clone with the results of another working copy, time stamps all new."""
    working_copy(folder)
    for name in ("results", ".snakemake"):
        subprocess.run(["cp", "-r", tiny / name, folder / name], check=True)
    return folder


def test_nothing_to_do_after_a_run(tiny):
    assert planned_jobs(tiny) == {}


def test_nothing_to_do_in_a_clone_with_copied_results(tiny, tmp_path):
    assert planned_jobs(clone_of(tiny, tmp_path)) == {}


def test_nothing_to_do_in_a_clone_without_snakemakes_records(tiny, tmp_path):
    working_copy(tmp_path)
    for path in tmp_path.rglob("*"):
        path.touch()
    subprocess.run(["cp", "-a", tiny / "results", tmp_path / "results"], check=True)
    assert planned_jobs(tmp_path) == {}


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_nothing_to_do_after_touching_everything(tiny, tmp_path, order):
    folder = clone_of(tiny, tmp_path)
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and ".snakemake" not in p.parts)
    for path in paths if order == "forward" else reversed(paths):
        path.touch()
    assert planned_jobs(folder) == {}


def rules_that_import(module: str) -> set[str]:
    """Rules whose script needs a module, read from the rule files."""
    found = set()
    for path in (ROOT / "rules").glob("*.smk"):
        for name, script in re.findall(
            r"rule (\w+):(?:(?!\n\s*rule ).)*?code=code\(\"(\w+)\"\)", path.read_text(), re.S
        ):
            code = {p.name if p.parent.name == "scripts" else "/".join(p.parts[-2:])
                    for p in code_of(ROOT / "workflow" / "scripts" / f"{script}.py")}  # fmt: skip
            if module in code:
                found.add(name)
    # One rule runs the scripts of all analyses, which write through one module.
    for script in (ROOT / "workflow" / "scripts").glob("*.py"):
        code = {"/".join(path.parts[-2:]) for path in code_of(script)}
        if {"analysis/output.py", module} <= code:
            found.add("analysis")
    return found


@pytest.mark.parametrize(
    "module",
    ["families/leakage.py", "training/loop.py", "methods/profile_hmm.py", "sequences/stockholm.py",
     "report/figures.py", "pretrain.py"],
)  # fmt: skip
def test_an_edit_reruns_exactly_the_rules_that_import_it(tiny, tmp_path, module):
    folder = clone_of(tiny, tmp_path)
    scripts = folder / "workflow" / "scripts"
    path = scripts / module if module == "pretrain.py" else scripts / "pfamformer" / module
    path.write_text(path.read_text() + "\n# edited\n")
    # Some rules run only when asked for, such as the annotation of a user's proteins.
    whole = snakemake(folder, "-n", "--forceall", *TINY)
    expected = rules_that_import(module) & set(
        re.findall(r"rule (\w+):", whole.stdout + whole.stderr)
    )
    assert expected
    # A job behind another that reruns is listed with that reason alone, whatever else changed.
    assert set(planned_jobs(folder)) <= expected
    planned = snakemake(folder, "-n", *TINY)
    assert expected <= set(re.findall(r"rule (\w+):", planned.stdout + planned.stderr))


def test_changing_a_run_reruns_only_that_run(tiny):
    jobs = planned_jobs(tiny, "--config", "runs={classic: {epochs: 3}}")
    assert jobs == {"run_config": {"results/tiny/runs/classic/config.json"},
                    "project_config": {"results/tiny/config.json"}}  # fmt: skip
    planned = snakemake(tiny, "-n", *TINY, "--config", "runs={classic: {epochs: 3}}")
    text = planned.stdout + planned.stderr
    assert set(re.findall(r"wildcards: run=(\w+)", text)) == {"classic"}
    assert "rule pretrain:" not in text
    # The reason names the setting, not the whole configuration.
    changes = re.findall(r"reason: Params.* before: '(.*)' now: '(.*)'", text)
    assert ("epochs: 2", "epochs: 3") in changes
    assert ("runs.classic.epochs: 2", "runs.classic.epochs: 3") in changes


def test_adding_a_run_leaves_the_others_alone(tiny):
    added = "runs={other: {kind: finetune, head: classic, seed: 7}}"
    planned = snakemake(tiny, "-n", *TINY, "--config", added)
    text = planned.stdout + planned.stderr
    assert set(re.findall(r"wildcards: run=(\w+)", text)) == {"other"}


def test_a_failing_job_keeps_what_is_finished(tiny, tmp_path):
    folder = clone_of(tiny, tmp_path)
    finished = folder / "results/tiny/splits/clustered/split.parquet"
    shutil.rmtree(folder / "results/tiny/pretrain")
    before = finished.read_bytes()
    broken = folder / "results/tiny/corpora/pfam_domains/train/all.tokens"
    broken.write_bytes(b"")
    ended = snakemake(folder, "--cores", 1, "pretraining", "--show-failed-logs", *TINY)
    assert ended.returncode == 1
    said = ended.stdout + ended.stderr
    assert "all.tokens: 0 bytes, the index says" in said
    assert finished.read_bytes() == before
    assert (folder / "results/tiny/baselines/profile_hmm/clustered/predictions.parquet").exists()
