"""Pretraining that is killed again and again ends with the bits of an uninterrupted run.

PFAMFORMER_KILLS sets the number of kills (30 for a release).
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from conftest import SCRIPTS, random_sequence
from pfamformer.sequences.shards import write_index
from token_shards import write_shard
from training_cases import pretraining

KILLS = int(os.environ.get("PFAMFORMER_KILLS", "5"))


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A corpus, a configuration, and the results of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("faults")
    stream = np.random.default_rng(9)
    for part, count in (("train", 300), ("valid", 20)):
        rows = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, count)]
        write_index(
            folder / "corpus" / part, [write_shard(folder / "corpus" / part, "a", rows)], {}
        )
    settings = pretraining(
        steps=120, log_every=7, validate_every=30, save_every=1e-6, snapshots=[0, 60]
    )
    (folder / "config.json").write_text(json.dumps(settings.model_dump()))
    assert start(folder, "whole").wait() == 0
    return folder


def start(folder, name, **options):
    return subprocess.Popen(
        [sys.executable, SCRIPTS / "pretrain.py", "--config", folder / "config.json",
         "--corpus", folder / "corpus", "--state", folder / f"{name}-state",
         "--output", folder / name, "--threads", "1"],
        stderr=open(folder / f"{name}.log", "a"), **options,
    )  # fmt: skip


def fills_up(folder):
    """No file may be larger than twice the weights: states, three times as large, do not fit."""
    limit = 2 * (folder / "whole/weights.safetensors").stat().st_size
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def same(folder, name):
    for file in ("weights", "untrained", "snapshots/step_000000060"):
        one, other = (load_file(folder / n / f"{file}.safetensors") for n in ("whole", name))
        assert all(bool((one[key] == other[key]).all()) for key in one)
    columns = ["step", "part", "tokens", "loss", "accuracy", "calibration_error"]
    tables = [pd.read_csv(folder / n / "metrics.tsv", sep="\t")[columns] for n in ("whole", name)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


#: How a run ends before its time: killed in three ways, its job's time limit, a kill while the
#: disk is full.
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, "time limit", "full disk")


def interrupt(folder, name, how, wait):
    """Start a run, end it ``wait`` seconds after its first step, and return how it ended."""
    states, log = folder / f"{name}-state", folder / f"{name}.log"
    if how == "time limit":
        # Within the second or two that the start takes, or some steps later.
        ends = str(time.time() + 3 + 20 * wait)
        return start(folder, name, env=os.environ | {"SLURM_JOB_END_TIME": ends}).wait()
    options, warned = {}, log.stat().st_size if log.exists() else 0
    if how == "full disk":
        options["preexec_fn"] = fills_up(folder)
    process = start(folder, name, **options)
    before = {p.name for p in states.glob("step_*")}
    while process.poll() is None:
        if how == "full disk" and b"no state was saved" in log.read_bytes()[warned:]:
            break
        if {p.name for p in states.glob("step_*")} != before:
            break
        time.sleep(0.005)  # until it has started and gone on
    time.sleep(wait)
    process.send_signal(signal.SIGKILL if how == "full disk" else how)
    return process.wait()


def test_kills_at_random_moments(setting):
    """Wherever they hit, saving included; a run that ends in between is judged and begun again."""
    stream = np.random.default_rng(2026)
    ended = dict.fromkeys(WAYS, 0)
    rounds, tries = 0, 0
    while sum(ended.values()) < KILLS:
        assert tries < 4 * KILLS, ended
        how = WAYS[sum(ended.values()) % len(WAYS)]
        if interrupt(setting, f"killed{rounds}", how, float(stream.uniform(0, 0.05))) == 0:
            same(setting, f"killed{rounds}")
            rounds += 1
        else:
            ended[how] += 1
        tries += 1
    assert start(setting, f"killed{rounds}").wait() == 0
    same(setting, f"killed{rounds}")
    assert min(ended.values()) >= KILLS // len(WAYS)


def test_states_that_do_not_fit_the_disk(setting):
    assert start(setting, "full", preexec_fn=fills_up(setting)).wait() == 0
    assert "no state was saved at step 1" in (setting / "full.log").read_text()
    same(setting, "full")
