"""Networks to analyse: weights by training step, read back with the shape they describe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pfamformer.config import NetworkSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import INDEX, STANDARD

#: Logits of the 20 standard residues are neighbours in the alphabet.
RESIDUE_TOKENS = slice(INDEX[STANDARD[0]], INDEX[STANDARD[-1]] + 1)


@dataclass(frozen=True)
class Snapshot:
    """A network's weights after ``step`` optimiser steps; step 0 is the untrained network."""

    step: int
    path: Path

    def load(self) -> MaskedLanguageModel:
        """The network in evaluation mode, on the CPU, float32.

        Raises:
            InputError: not the weights of a masked language model.
        """
        try:
            model = MaskedLanguageModel(NetworkSettings(**description(self.path)["network"]))
            found = load_file(self.path)
            # Some objectives train parts beside the network, such as a generator.
            model.load_state_dict({name: found[name] for name in model.state_dict()})
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                self.path,
                f"not the weights of a masked language model ({error})",
                remedy="Delete it and rerun its pretraining",
            ) from error
        return model.eval()


def snapshots(steps: Sequence[int], paths: Sequence[str | Path]) -> list[Snapshot]:
    """Snapshots in the order of training."""
    found = [Snapshot(s, Path(p)) for s, p in zip(steps, paths, strict=True)]
    return sorted(found, key=lambda snapshot: snapshot.step)


def add_snapshot_options(parser: argparse.ArgumentParser) -> None:
    """The two options that name a run's snapshots."""
    parser.add_argument("--weights", required=True, nargs="+", help="snapshots' weights")
    parser.add_argument("--steps", required=True, nargs="+", type=int, help="their steps")


def residue_log_probabilities(logits_NV: Tensor) -> Tensor:
    """Log-probabilities (N, 20) over the standard residues, in :data:`STANDARD`'s order, float32.

    The tokens that are no standard residue are left out, so that a uniform prediction has the
    entropy ln 20 whatever the alphabet holds beside them.
    """
    return torch.log_softmax(logits_NV[:, RESIDUE_TOKENS].float(), dim=-1)
