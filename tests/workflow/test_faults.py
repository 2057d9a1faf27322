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


def same(folder, name):
    for file in ("weights", "untrained", "snapshots/step_000000060"):
        one, other = (load_file(folder / n / f"{file}.safetensors") for n in ("whole", name))
        assert all(bool((one[key] == other[key]).all()) for key in one)
    columns = ["step", "part", "tokens", "loss", "accuracy", "calibration_error"]
    tables = [pd.read_csv(folder / n / "metrics.tsv", sep="\t")[columns] for n in ("whole", name)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_kills_at_random_moments(setting):
    """SIGKILL wherever it hits, saving included, and the signals that ask for a stop."""
    stream = np.random.default_rng(2026)
    states = setting / "killed-state"
    killed = 0
    while killed < KILLS:
        process = start(setting, "killed")
        before = {p.name for p in states.glob("step_*")}
        while process.poll() is None and {p.name for p in states.glob("step_*")} == before:
            time.sleep(0.005)  # it has started and gone on
        time.sleep(float(stream.uniform(0, 0.05)))
        how = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1][killed % 4]
        process.send_signal(how)
        if process.wait() == 0:
            break
        killed += 1
    else:
        assert start(setting, "killed").wait() == 0
    assert killed >= min(KILLS, 3)
    same(setting, "killed")


def test_states_that_do_not_fit_the_disk(setting):
    """No file may be larger than the weights: states, three times as large, cannot be saved."""
    limit = 2 * (setting / "whole/weights.safetensors").stat().st_size
    process = start(
        setting, "full",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert process.wait() == 0
    assert "no state was saved at step 1" in (setting / "full.log").read_text()
    same(setting, "full")
