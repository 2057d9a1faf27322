"""A network divided over processes learns what one process learns, and its states fit both."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from conftest import SCRIPTS, random_sequence
from pfamformer.sequences.shards import write_index
from pfamformer.training.pretraining import pretrain
from token_shards import write_shard
from training_cases import pretraining


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    stream = np.random.default_rng(3)
    for part, count in (("train", 200), ("valid", 20)):
        rows = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, count)]
        write_index(folder / part, [write_shard(folder / part, "a", rows)], {})
    return folder


def start(folder, corpus, settings, processes=2):
    """Two processes that each hold half of every layer."""
    (folder / "config.json").write_text(settings.model_dump_json())
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}",
         "--standalone", SCRIPTS / "pretrain.py", "--config", folder / "config.json",
         "--corpus", corpus, "--state", folder / "state", "--output", folder / "out"],
        stderr=open(folder / "log", "a"), env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def same(one, other, atol=2e-5):
    """Weights, snapshots and losses of two runs, up to the order of sums."""
    for file in ("weights", "snapshots/step_000000000", "snapshots/step_000000004"):
        expected, found = (load_file(f / f"{file}.safetensors") for f in (one, other))
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=atol)
    tables = [pd.read_csv(f / "metrics.tsv", sep="\t") for f in (one, other)]
    for column in ("step", "tokens", "loss", "accuracy"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=2e-4)


@pytest.mark.parametrize(
    ("atol", "changes"),
    [
        # Batches of one to four rows: sometimes a process has no row of its own.
        (2e-5, {"tokens_per_batch": 128, "activation_checkpointing": True}),
        # Muon orthogonalises in bfloat16: a tenth of a step of 1e-3 depends on the order of sums.
        (2e-4, {"objective": "replaced", "accumulate": 2, "optimizer": "muon"}),
    ],
    ids=["recomputed", "replaced, Muon"],
)
def test_two_halves_agree_with_one_process(tmp_path, corpus, atol, changes):
    settings = pretraining(
        steps=8, log_every=4, validate_every=4, snapshots=[0, 4], sharded=True, **changes
    )
    pretrain(settings, corpus, tmp_path / "one-state", tmp_path / "one", threads=1)
    process = start(tmp_path, corpus, settings)
    assert process.wait() == 0, (tmp_path / "log").read_text()[-3000:]
    same(tmp_path / "one", tmp_path / "out", atol)
    found = re.search(r"this one keeps ([\d,]+) of ([\d,]+)", (tmp_path / "log").read_text())
    held, everything = (int(number.replace(",", "")) for number in found.groups())
    # Beside half of the layers: embedding, final norm, heads.
    assert held < 0.65 * everything


def test_a_killed_run_goes_on_whole_or_divided(tmp_path, corpus):
    """Its states are those of the whole network: another number of processes continues them."""
    settings = pretraining(
        steps=30, log_every=10, validate_every=15, snapshots=[0, 4], sharded=True, save_every=1e-6
    )
    pretrain(settings, corpus, tmp_path / "one-state", tmp_path / "one", threads=1)
    process = start(tmp_path, corpus, settings)
    states = tmp_path / "state"
    while process.poll() is None and not list(states.glob("step_*0.*.safetensors")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() != 0
    resumed = settings.model_copy(update={"save_every": 600.0})
    saved = {path.name: path.read_bytes() for path in states.glob("*.*")}
    kept = {path.name: path.read_bytes() for path in (states / "snapshots").glob("*")}
    assert start(tmp_path, corpus, resumed).wait() == 0, (tmp_path / "log").read_text()[-3000:]
    assert "resuming at step" in (tmp_path / "log").read_text()
    same(tmp_path / "one", tmp_path / "out")
    for folder, files in ((states, saved), (states / "snapshots", kept)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    whole = resumed.model_copy(update={"sharded": False})
    pretrain(whole, corpus, states, tmp_path / "alone", threads=1)
    same(tmp_path / "one", tmp_path / "alone")
