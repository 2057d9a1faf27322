"""Networks that runs start from or learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from pfamformer.config import PretrainSettings, TrainingSettings
from pfamformer.model.encoder import Encoder, MaskedLanguageModel
from pfamformer.model.weights import description
from pfamformer.sequences.byte_pairs import BytePairs
from pfamformer.training.device import hash_of


@dataclass(frozen=True)
class Trained:
    """A pretraining run to start from or to learn from.

    Attributes:
        weights: its trained weights; None means its untrained ones.
    """

    settings: PretrainSettings
    weights: Path | None

    def merge(self) -> BytePairs | None:
        """What joins residues into the tokens that it reads; None where it reads residues.

        Only its trained weights know the pairs.
        """
        if not self.settings.network.merges:
            return None
        return BytePairs(description(self.weights)["merges"])

    def model(self) -> MaskedLanguageModel:
        """The network with these weights."""
        model = untrained(self.settings)
        if self.weights is not None:
            model.load_state_dict(load_file(self.weights))
        return model


def untrained(settings: PretrainSettings) -> MaskedLanguageModel:
    """The network of a pretraining run before its first step: the same from the same seed."""
    torch.manual_seed(hash_of(settings.seed, -2))
    return MaskedLanguageModel(settings.network)


def encoder_weights(start: Trained) -> dict[str, torch.Tensor]:
    """An encoder's weights: of a file, or those that the run would start with."""
    if start.weights is None:
        return untrained(start.settings).encoder.state_dict()
    tensors = load_file(start.weights)
    return {
        name.removeprefix("encoder."): tensor
        for name, tensor in tensors.items()
        if name.startswith("encoder.")
    }


def prepare_encoder(encoder: Encoder, settings: TrainingSettings) -> None:
    """How its layers are computed."""
    encoder.checkpointing = settings.activation_checkpointing
    if settings.compile:
        encoder.compile_layers()
