"""Train a network that calls GO terms, and call those of held-out proteins."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import PretrainSettings, TermsSettings, read_run
from pfamformer.tasks.go import read_task
from pfamformer.training.heads import Start
from pfamformer.training.terms import train_terms


def main() -> None:
    """Parse, train, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a run of kind 'terms'")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--start", help="config.json of the run it starts from, if any")
    parser.add_argument("--weights", type=Path, help="weights to start from; none: untrained")
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and calls")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    start = read_run(arguments.start) if arguments.start else None
    if not isinstance(settings, TermsSettings) or not isinstance(start, PretrainSettings | None):
        parser.error("--config must be a run of kind 'terms' and --start a pretraining run")
    train_terms(
        settings,
        start and Start(start, arguments.weights),
        read_task(arguments.terms, arguments.annotations, arguments.proteins),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
    )


if __name__ == "__main__":
    run(main)
