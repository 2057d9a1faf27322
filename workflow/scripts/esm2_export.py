"""Write a pretrained network as a folder that the transformers library opens."""

import argparse
from pathlib import Path

from safetensors.torch import load_file

from pfamformer.command import run
from pfamformer.config import PretrainSettings, read_run
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.esm2 import export_esm2


def main() -> None:
    """Parse, read, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config.json of a pretraining run")
    parser.add_argument("--weights", required=True, type=Path, help="its weights.safetensors")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    arguments = parser.parse_args()
    settings = read_run(arguments.config)
    if not isinstance(settings, PretrainSettings):
        parser.error(f"{arguments.config} is not a pretraining run")
    model = MaskedLanguageModel(settings.network)
    model.load_state_dict(load_file(arguments.weights))
    export_esm2(model, arguments.output)


if __name__ == "__main__":
    run(main)
