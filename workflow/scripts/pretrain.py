"""Pretrain one network; start again after a kill and it continues."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import PretrainSettings, read_run
from pfamformer.training.pretraining import pretrain
from pfamformer.training.starts import Trained


def main() -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a pretraining run")
    parser.add_argument("--corpus", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and metrics")
    parser.add_argument("--teacher", nargs=2, help="config.json and weights of the teacher's run")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    if not isinstance(settings, PretrainSettings):
        parser.error(f"{arguments.config} is not a pretraining run")
    teacher = None
    if arguments.teacher:
        config, weights = arguments.teacher
        teacher = Trained(PretrainSettings.model_validate(read_run(config)), Path(weights))
    pretrain(
        settings, arguments.corpus, arguments.state, arguments.output, arguments.threads, teacher
    )


if __name__ == "__main__":
    run(main)
