"""Benchmark programs run at toy size, so that they cannot rot."""

import subprocess
import sys

import pytest

from conftest import ROOT

pytest.importorskip("transformers")


@pytest.mark.parametrize("options", [["--gpu"], ["--sizes", "1M", "--results", "absent"]])
def test_train_throughput_runs(options):
    ended = subprocess.run(
        [sys.executable, ROOT / "benchmarks/train_throughput.py", "--quick", *options],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    ratios = [line for line in ended.stdout.splitlines() if "ratio=" in line]
    assert len(ratios) == (4 if options == ["--gpu"] else 12), ended.stdout
