"""Fine-tune one network to families and predict the test part; continues after a kill."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import FinetuneSettings, PretrainSettings, read_run
from pfamformer.tables import read_table
from pfamformer.training.runs import finetune


def main() -> None:
    """Parse, train, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a fine-tuning run")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--start", help="config.json of the run it starts from, if any")
    parser.add_argument("--weights", type=Path, help="weights to start from; none: untrained")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and results")
    parser.add_argument("--profiles", type=Path, help="profiles.hmm of the training domains")
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    start = read_run(arguments.start) if arguments.start else None
    if not isinstance(settings, FinetuneSettings) or not isinstance(start, PretrainSettings | None):
        parser.error("--config must be a fine-tuning run and --start a pretraining run")
    finetune(
        settings,
        start,
        arguments.weights,
        read_table("domains", arguments.domains),
        read_table("split", arguments.split),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
        arguments.candidates,
        arguments.profiles,
    )


if __name__ == "__main__":
    run(main)
