"""`make demo`, as the README says, and what a reader of its report sees."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from conftest import working_copy
from hmmer_reference import compare_with_hmmer

pytestmark = pytest.mark.demo
BROWSER = shutil.which("chromium")


def make_demo(folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # The environment of the tests is complete already: make has nothing to install.
    return subprocess.run(
        ["make", "demo", "--assume-old", f"{sys.prefix}/.complete", f"VENV={sys.prefix}"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = working_copy(tmp_path_factory.mktemp("demo"))
    if not (Path(sys.prefix) / ".complete").exists():
        pytest.skip("the tests do not run in the environment that make sets up")
    ended = make_demo(folder)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    return folder


def test_demo_makes_a_report_with_sound_numbers(demo):
    results = demo / "results/demo"
    assert (results / "report.html").stat().st_size < 5_000_000
    assert json.loads((results / "splits/clustered/leakage.json").read_text())["leaking_pairs"] == 0
    metrics = pd.read_csv(results / "pretrain/small/metrics.tsv", sep="\t")
    summary = json.loads((results / "pretrain/small/summary.json").read_text())
    final = metrics[metrics["part"] == "valid"].iloc[-1]
    assert final["loss"] < summary["residue_entropy"]
    table = pd.read_csv(results / "tables/table_3.tsv", sep="\t").dropna(subset="accuracy")
    assert len(table) >= 9
    # Every network is better than guessing among 100 families.
    assert table.loc[table["kind"] == "network", "accuracy"].min() > 100 / 100


def test_a_second_demo_does_nothing(demo):
    report = demo / "results/demo/report.html"
    before = report.stat().st_mtime_ns
    started = time.monotonic()
    ended = make_demo(demo)
    assert ended.returncode == 0
    assert report.stat().st_mtime_ns == before
    assert time.monotonic() - started < 20


def test_profile_hmm_agrees_with_the_hmmer_programs(demo, tmp_path):
    compare_with_hmmer(demo / "results/demo", tmp_path, "clustered")


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_report_opens_from_disk_without_errors(demo, tmp_path):
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--log-level=0",
        "--window-size=1200,2000", f"--screenshot={tmp_path / 'page.png'}",
        (demo / "results/demo/report.html").as_uri(),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (tmp_path / "page.png").stat().st_size > 50_000
    console = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
