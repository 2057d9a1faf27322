"""Benchmark programs run at toy size, so that they cannot rot."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from conftest import ROOT, random_sequence

pytest.importorskip("transformers")
sys.path.insert(0, str(ROOT / "benchmarks"))

from pfamformer.config import NetworkSettings
from pfamformer.model.encoder import Encoder
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import collate
from throughput import gpu


@pytest.mark.parametrize("options", [["--gpu"], ["--sizes", "1M", "--results", "absent"]])
def test_train_throughput_runs(options):
    ended = subprocess.run(
        [sys.executable, ROOT / "benchmarks/train_throughput.py", "--quick", *options],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    ratios = [line for line in ended.stdout.splitlines() if "ratio=" in line]
    assert len(ratios) == (4 if options == ["--gpu"] else 12), ended.stdout


def test_model_flops_are_what_torch_counts(stream):
    """Forward and backward matrix products of the layers, by torch's own counter.

    Attention with relative positions is written out in products; other attention on CPUs fills
    them up to whole tiles.
    """
    network = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64, positions="relative")
    encoder = Encoder(network).train()
    lengths = [40, 9, 77]
    with FlopCounterMode(display=False) as counter:
        for n in lengths:
            tokens = collate([encode(random_sequence(stream, n))], np.arange(1)).tokens
            encoder(tokens).sum().backward()
    tokens = np.array(lengths) + 2  # <cls> and <eos> are computed too
    matrices = sum(p.numel() for b in encoder.blocks for p in b.parameters() if p.ndim == 2)
    expected = gpu.model_flops(network, matrices, int(tokens.sum()), float((tokens**2).sum()))
    assert counter.get_total_flops() == expected


def test_rows_of_the_gpu_say_what_failed_and_why(monkeypatch):
    errors = [torch.OutOfMemoryError(), RuntimeError("no kernel image")]

    def fails(*_):
        raise errors.pop(0)

    monkeypatch.setattr(gpu, "peer_step", fails)
    monkeypatch.setattr(Encoder, "compile_layers", lambda self: None)  # takes a minute
    (row,) = gpu.measure_gpu(toy=True)
    assert row["failed"] == {"random": "out of memory", "grouped": "RuntimeError: no kernel image"}
    assert row["mfu"].keys() == {"pfamformer", "compiled"} and min(row["mfu"].values()) > 0
    json.dumps(row)
