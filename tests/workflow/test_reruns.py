"""What Snakemake does again: nothing after a run, and after an edit what it concerns."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, TINY, snakemake, working_copy
from pfamformer.dependencies import code_of


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
