"""The workflow on a real two-node SLURM, through the profile that users type."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster import SlurmCluster, missing_requirements

from conftest import working_copy

REASON = missing_requirements()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no SLURM here: {REASON}")
# What a test changes: frequent looks at job states, a fast file system, a test account.
FAST = [
    "--slurm-init-seconds-before-status-checks", "1", "--slurm-status-command", "squeue",
    "--latency-wait", "5", "--retries", "0", "--default-resources", "slurm_account=testaccount",
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with SlurmCluster(tmp_path_factory.mktemp("slurm"), cpus=4) as started:
        yield started


def run(cluster, folder, *arguments, timeout=1200):
    environment = os.environ | cluster.environment
    folders = [environment["PATH"], str(Path(sys.executable).parent)]
    environment["PATH"] = os.pathsep.join(folders)
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip


def test_the_whole_workflow_through_the_profile(cluster, tmp_path):
    folder = working_copy(tmp_path)
    assert (folder / "slurm").is_symlink()
    gpu = "resources={pretrain: {gpus: 1}}"
    ended = run(cluster, folder, "--configfile", "config/tiny.yaml", *FAST, "--config", gpu)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    assert (folder / "results/tiny/report.html").exists()
    table = pd.read_csv(folder / "results/tiny/tables/table_3.tsv", sep="\t")
    judged = set(table.loc[table["accuracy"].notna(), "run"])
    assert {"classic", "dropout", "dropout_random", "profile_hmm"} <= judged
    again = run(cluster, folder, "--configfile", "config/tiny.yaml", "-n", "--config", gpu)
    assert "Nothing to be done" in again.stdout + again.stderr
    # SLURM itself says what pretraining was given.
    sacct = subprocess.run(
        ["sacct", "-X", "-n", "-P", "-o", "Comment,ReqTRES,State"],
        env=os.environ | cluster.environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert len(re.findall("COMPLETED", sacct)) > 15, sacct
    assert any("gres/gpu=1" in line for line in sacct.splitlines()), sacct


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("{gpus: 1, gpu_model: a100}", ["--gpus=a100:1", "--cpus-per-task=3"]),
        ("{gpus: 4}", ["--gpus=4", "--cpus-per-task=3"]),
        ("{gpus: 8, nodes: 2}", ["--gres=gpu:8", "--nodes=2", "--ntasks=2"]),
    ],
)
def test_sbatch_is_asked_for(tmp_path, asked, expected):
    """A pretended sbatch writes down how it was called, and refuses."""
    folder = working_copy(tmp_path / "copy")
    programs = tmp_path / "bin"
    programs.mkdir()
    calls = tmp_path / "calls"
    (programs / "sbatch").write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexit 1\n')
    for name in ("sacct", "squeue", "sinfo", "scontrol", "sacctmgr", "scancel"):
        (programs / name).write_text("#!/bin/sh\necho testaccount\n")
    for path in programs.iterdir():
        path.chmod(0o755)
    # Everything before pretraining is pretended to be there.
    results = folder / "results/tiny"
    for name in ("train", "valid"):
        index = results / "corpora/pfam_domains" / name / "index.json"
        index.parent.mkdir(parents=True)
        index.touch()
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [sys.executable, "-m", "snakemake", "results/tiny/pretrain/small/weights.safetensors",
         "--profile", "slurm", "--configfile",
         "config/tiny.yaml", "--config", f"resources={{pretrain: {asked}}}",
         "--set-threads", "pretrain=3", "--allowed-rules", "pretrain", "run_config",
         "--retries", "0",
         "--default-resources", "slurm_account=testaccount"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert calls.exists(), (ended.stdout + ended.stderr)[-3000:]
    called = calls.read_text().replace(" -N 2", " --nodes=2").replace(" -n 2", " --ntasks=2")
    for argument in expected:
        assert argument.replace("=", " ") in called.replace("=", " "), called
