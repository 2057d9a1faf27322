"""Train a network on a task with states of residues or values of proteins, and answer its rest."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import PretrainSettings, TaskRunSettings, read_run
from pfamformer.tables import read_table
from pfamformer.training.heads import Start
from pfamformer.training.tasks import train_task


def main() -> None:
    """Parse, train, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a run of kind 'task'")
    parser.add_argument("--start", help="config.json of the run it starts from, if any")
    parser.add_argument("--weights", type=Path, help="weights to start from; none: untrained")
    parser.add_argument("--task", required=True, help="task.parquet")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and answers")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    start = read_run(arguments.start) if arguments.start else None
    if not isinstance(settings, TaskRunSettings) or not isinstance(start, PretrainSettings | None):
        parser.error("--config must be a run of kind 'task' and --start a pretraining run")
    train_task(
        settings,
        start and Start(start, arguments.weights),
        read_table("task", arguments.task),
        arguments.task,
        arguments.state,
        arguments.output,
        arguments.threads,
    )


if __name__ == "__main__":
    run(main)
