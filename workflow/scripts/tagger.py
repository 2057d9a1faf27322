"""Train a residue tagger and call domains on held-out proteins; continues after a kill."""

import argparse
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import PretrainSettings, TaggerSettings, read_run
from pfamformer.tables import read_table
from pfamformer.training.tagging import train_tagger


def main() -> None:
    """Parse, train, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a tagger run")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--start", help="config.json of the run it starts from, if any")
    parser.add_argument("--weights", type=Path, help="weights to start from; none: untrained")
    parser.add_argument("--sequences", required=True, help="localisation/sequences.parquet")
    parser.add_argument("--domains", required=True, help="localisation/domains.parquet")
    parser.add_argument("--state", required=True, type=Path, help="folder for training states")
    parser.add_argument("--output", required=True, type=Path, help="folder for weights and results")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    start = read_run(arguments.start) if arguments.start else None
    if not isinstance(settings, TaggerSettings) or not isinstance(start, PretrainSettings | None):
        parser.error("--config must be a tagger run and --start a pretraining run")
    train_tagger(
        settings,
        start,
        arguments.weights,
        read_table("localisation", arguments.sequences),
        read_table("localisation_domains", arguments.domains),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
    )


if __name__ == "__main__":
    run(main)
