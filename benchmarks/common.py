"""What all benchmark programs share: time two ways in turn, and write the numbers down."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Behind this folder, whose programs have names that scripts have too.
sys.path.insert(1, str(ROOT / "workflow/scripts"))
RESULTS = ROOT / "benchmarks/results"


def parser(description: str) -> argparse.ArgumentParser:
    """A command line with ``--quick`` (small sizes; writes nothing) and ``--repeats``."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--quick", action="store_true", help="small sizes; no result is written")
    made.add_argument("--repeats", type=int, default=3, help="runs of each; medians are compared")
    return made


def make_files(
    targets: Iterable[Path | str],
    configurations: Iterable[str],
    settings: Mapping[str, Any],
    *,
    cores: int = 1,
    trigger: str | None = None,
    only_plan: bool = False,
) -> None:
    """Let the workflow make these, or plan to; what is finished already is only read.

    Args:
        targets: files below :data:`ROOT`, or names of targets.
        configurations: files, each laid over those before it; ``settings`` lie over all.
        trigger: the only reason to rerun what is there; None: snakemake's own.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as overlay:
        json.dump(settings, overlay)  # JSON is YAML
        overlay.flush()
        command = [
            sys.executable, "-m", "snakemake",
            *(path.relative_to(ROOT) if isinstance(path, Path) else path for path in targets),
            "--cores", str(cores), *["--dry-run"] * only_plan,
            *(["--rerun-triggers", trigger] if trigger else []),
            "--configfile", *configurations, overlay.name,
        ]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)


def in_turn(
    repeats: int, *, first: Callable[[], object] | None = None, **ways: Callable[[], object]
) -> dict[str, list[float]]:
    """Seconds of every way, run in turn so that a busy machine is busy for all of them.

    Args:
        first: called before each, and not counted: deletes what was written.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            if first:
                first()
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def processor_seconds(
    way: Callable[[], object], *, first: Callable[[], object] | None = None
) -> float:
    """Processor time of all threads, on which other work on the machine has little influence.

    Args:
        first: as in :func:`in_turn`.
    """
    if first:
        first()
    started = time.process_time()
    way()
    return time.process_time() - started


def compare(title: str, seconds: dict[str, list[float]], **facts: object) -> dict:
    """Print and return medians and how many times faster the first way is than each other."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours, *others = medians
    row = {"comparison": title, **facts, "seconds": seconds, "median_seconds": medians}
    row["ratio"] = {other: medians[other] / medians[ours] for other in others}
    for other, ratio in row["ratio"].items():
        times = f"{ours} {medians[ours]:.3f} s, {other} {medians[other]:.3f} s"
        print(f"{title}: {times}, ratio={ratio:.2f}", flush=True)
    return row


def write(name: str, rows: list[dict], packages: tuple[str, ...] = ()) -> Path:
    """Write ``benchmarks/results/<name>.json``: rows, command, date, machine, versions."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "command": " ".join(
            ["python", os.path.relpath(sys.argv[0], ROOT), *map(_portable, sys.argv[1:])]
        ),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load_before": round(_LOAD, 2),
            "python": platform.python_version(),
        },
        "versions": {package: metadata.version(package) for package in packages},
        "rows": rows,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {os.path.relpath(path, ROOT)}")
    return path


# Other work on the machine when the program started: near 0 means that the times can be trusted.
_LOAD = os.getloadavg()[0]


def _portable(word: str) -> str:
    """An argument as it reads on another machine: a path below ``results`` starts there."""
    parts = Path(word).parts
    if Path(word).is_absolute() and "results" in parts:
        return str(Path(*parts[parts.index("results") :]))
    return word


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
