"""The workflow on a real two-node SLURM, through the profile that users type."""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))

from cluster import SlurmCluster, missing_requirements

from conftest import SCRIPTS, TINY, random_sequence, snakemake, working_copy
from pfamformer.sequences.shards import write_index
from token_shards import write_shard

REASON = missing_requirements()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no SLURM here: {REASON}")
# What a test changes: frequent looks at job states, a fast file system, a test account.
FAST = [
    "--slurm-init-seconds-before-status-checks", "1", "--slurm-status-command", "squeue",
    "--latency-wait", "5", "--retries", "0", "--default-resources", "slurm_account=testaccount",
]  # fmt: skip
# Each look that finds no job finished puts the next one off by ten seconds more, which no option
# limits: half of the time of jobs as short as these would be waiting.
IMPATIENT = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with SlurmCluster(tmp_path_factory.mktemp("slurm"), cpus=4) as started:
        yield started


def run(cluster, folder, *arguments, timeout=1200):
    environment = os.environ | cluster.environment
    folders = [environment["PATH"], str(Path(sys.executable).parent)]
    environment["PATH"] = os.pathsep.join(folders)
    return subprocess.run(
        [sys.executable, "-c", IMPATIENT, "--profile", "slurm", *arguments],
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
         *FAST],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert calls.exists(), (ended.stdout + ended.stderr)[-3000:]
    called = calls.read_text().replace(" -N 2", " --nodes=2").replace(" -n 2", " --ntasks=2")
    for argument in expected:
        assert argument.replace("=", " ") in called.replace("=", " "), called


PRETRAINED = "results/tiny/pretrain/small/weights.safetensors"
# Long enough to be hit, a state after every step.
LONG = (
    "defaults={pretrain: {steps: 600, save_every: 0.01, validate_every: 300, snapshots: [],"
    " precision: float32}}"
)


def with_corpus(folder):
    """A working copy in which everything before pretraining is there."""
    working_copy(folder)
    stream = np.random.default_rng(5)
    for part, count in (("train", 300), ("valid", 20)):
        place = folder / "results/tiny/corpora/pfam_domains" / part
        rows = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, count)]
        write_index(place, [write_shard(place, "a", rows)], {})
    return folder


def pretrain(cluster, folder, asked, *more):
    return run(
        cluster, folder, PRETRAINED, "--configfile", "config/tiny.yaml", "--allowed-rules",
        "pretrain", "run_config", *FAST, *more, "--config", f"resources={{pretrain: {asked}}}",
        LONG,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Weights and metrics of one process that runs to its end here, of the same run."""
    folder = with_corpus(tmp_path_factory.mktemp("undisturbed"))
    results = folder / "results/tiny"
    config = results / "runs/small/config.json"
    made = snakemake(folder, config.relative_to(folder), "--cores", 1, *TINY, "--config", LONG)
    assert made.returncode == 0, made.stderr[-3000:]
    subprocess.run(
        [sys.executable, SCRIPTS / "pretrain.py", "--config", config,
         "--corpus", results / "corpora/pfam_domains", "--state", folder / "state",
         "--output", folder / "alone"],
        check=True,
    )  # fmt: skip
    metrics = pd.read_csv(folder / "alone/metrics.tsv", sep="\t")
    return load_file(folder / "alone/weights.safetensors"), metrics


def test_a_node_that_goes_down_costs_nothing_but_time(cluster, tmp_path, undisturbed):
    """The job is submitted again, to the other node; the bits are those of an undisturbed one."""
    folder = with_corpus(tmp_path)
    states = folder / "results/tiny/state/pretrain/small"
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(pretrain, cluster, folder, "{threads: 1}", "--retries", "1")
        while not list(states.glob("step_*")) and not again.done():
            time.sleep(0.02)
        nodes = cluster.node_states().items()
        (node,) = [name for name, state in nodes if state.startswith(("mix", "alloc"))]
        cluster.fail_node(node)
        try:
            ended = again.result()
        finally:
            cluster.restore_node(node)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    assert "resuming at step" in (folder / "logs/tiny/pretrain/small.log").read_text()
    expected, _ = undisturbed
    found = load_file(folder / PRETRAINED)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert "NODE_FAIL" in cluster.run(["sacct", "-X", "-n", "-P", "-o", "State"]).stdout


def test_two_nodes_compute_what_one_does(cluster, tmp_path, undisturbed):
    """torchrun on both nodes, gradients over gloo: the losses are those of one process."""
    folder = with_corpus(tmp_path)
    ended = pretrain(cluster, folder, "{threads: 1, nodes: 2}")
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    output = (folder / PRETRAINED).parent
    assert json.loads((output / "summary.json").read_text())["processes"] == 2
    _, expected = undisturbed
    found = pd.read_csv(output / "metrics.tsv", sep="\t")
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=2e-3)
