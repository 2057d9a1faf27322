"""What the scripts that train a network for a task share: their options, and what these name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeVar

from pfamformer.config import PretrainSettings, TaskSettings, read_run
from pfamformer.training.starts import Trained

S = TypeVar("S", bound=TaskSettings)


def task_parser(description: str | None, kind: str) -> argparse.ArgumentParser:
    """A parser with the options of every such script; ``kind`` is the run's."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", required=True, help=f"config.json of a run of kind '{kind}'")
    parser.add_argument("--start", help="config.json of the run it starts from, if any")
    parser.add_argument("--weights", type=Path, help="weights to start from; none: untrained")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and results")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def run_of(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, kind: type[S]
) -> tuple[S, Trained | None]:
    """Settings of the run, and what it starts from; ends the program where kinds are wrong."""
    settings = read_run(arguments.config)
    start = read_run(arguments.start) if arguments.start else None
    if not isinstance(settings, kind) or not isinstance(start, PretrainSettings | None):
        parser.error(f"--config must be {kind.__name__} and --start a pretraining run")
    return settings, start and Trained(start, arguments.weights)
