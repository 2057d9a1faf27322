"""What the tests share: synthetic families, a copy of the working tree, and runs of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests of the tiny run take longest: they begin first."""
    items.sort(key=lambda item: not uses_tiny_run(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Workers get whole files; all files with tests of the tiny run go to one of them."""
    from xdist.scheduler import LoadFileScheduling

    class OneTinyRun(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "the tiny run" if uses_tiny_run(ROOT / file) else file

    return OneTinyRun(config, log)


@cache
def uses_tiny_run(file: Path) -> bool:
    return re.search(r"^def \w+\([^)]*\btiny\b", file.read_text(), re.MULTILINE) is not None


@pytest.fixture
def stream() -> np.random.Generator:
    """Random numbers that are the same in every test run."""
    return np.random.default_rng(20260)


def shared_data(name: str) -> Path:
    """A folder of real data that is no part of the project; skips where it is absent."""
    folder = os.environ.get("PFAMFORMER_TEST_DATA")
    if not folder:
        pytest.skip("PFAMFORMER_TEST_DATA names no folder with real data")
    path = Path(folder) / name
    if not path.is_dir():
        pytest.skip(f"PFAMFORMER_TEST_DATA has no folder {name}")
    return path


def random_sequence(stream: np.random.Generator, length: int) -> str:
    return "".join(stream.choice(list("ACDEFGHIKLMNPQRSTVWY"), length))


def mutate(stream: np.random.Generator, sequence: str, share: float) -> str:
    letters = np.array(list(sequence))
    hit = stream.random(len(letters)) < share
    letters[hit] = stream.choice(list("ACDEFGHIKLMNPQRSTVWY"), int(hit.sum()))
    return "".join(letters)


def run_script(name: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """Run a script of the workflow as the workflow does."""
    command = [sys.executable, SCRIPTS / f"{name}.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def working_copy(folder: Path) -> Path:
    """A copy of the working tree: what git tracks or would track, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder


def snakemake(folder: Path, *arguments: object, **options) -> subprocess.CompletedProcess:
    """Run Snakemake in a working copy with the interpreter of the tests."""
    command = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    environment = options.pop("env", os.environ)
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment, **options
    )


TINY = ("--configfile", "config/tiny.yaml")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy in which the tiny configuration has run to its end."""
    folder = working_copy(tmp_path_factory.mktemp("tiny"))
    ended = snakemake(folder, "--cores", 2, "--show-failed-logs", *TINY)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder
