"""A trained network as a classifier: its scores for domains, its embeddings, its name in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from pfamformer.config import FinetuneSettings, NetworkSettings
from pfamformer.model.cascade import Cascade
from pfamformer.model.classifier import Classifier
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import Batch, InMemory, Merge
from pfamformer.training.device import autocast
from pfamformer.training.evaluate import predict
from pfamformer.training.reading import read

ENCODER_NAMES = {
    "protcnn": "ProtCNN",
    "resnet": "ResNet",
    "lstm": "LSTM",
    "kmers": "k-mer network",
    "motif": "motif CNN",
    "chain": "motif chain CNN",
}
# Softmax in float32 reaches 0; its logarithm must stay finite to be averaged.
SMALLEST = np.finfo(np.float32).tiny


def method_name(settings: FinetuneSettings) -> str:
    """How tables call a run: the study's names, and an encoder of its own by its own name."""
    if settings.encoder is not None:
        return ENCODER_NAMES[settings.encoder.kind]
    return settings.head.replace("_", " ")


def log_probabilities(
    model: Classifier | Cascade,
    settings: FinetuneSettings,
    sequences: Sequence[str],
    merge: Merge | None = None,
) -> np.ndarray:
    """Log-probability (nats) of every family, shape (sequences, families).

    Args:
        merge: joins residues into the tokens that the network reads.
    """
    rows = InMemory([encode(s) for s in sequences])
    found: np.ndarray | None = None
    for batch, probabilities in predict(model, rows, settings, merge):
        if found is None:
            found = np.zeros((len(rows), probabilities.shape[1]), dtype=np.float32)
        found[batch.rows] = np.log(np.maximum(probabilities.numpy(), SMALLEST))
    return np.zeros((0, 0), dtype=np.float32) if found is None else found


def embeddings(model: Classifier, settings: FinetuneSettings, domains: pd.DataFrame) -> np.ndarray:
    """Mean final embedding of each domain, shape (domains, width), float16."""
    device = next(model.parameters()).device
    rows = InMemory([encode(s) for s in domains["sequence"]])
    found: np.ndarray | None = None
    model.eval()

    def vectors_of(batch: Batch) -> np.ndarray:
        return model.embed(batch.tokens.to(device)).float().cpu().numpy()

    with torch.inference_mode(), autocast(settings.precision, device):
        budget, longest = settings.tokens_per_batch, settings.max_length
        for batch, vectors in read(model, vectors_of, rows, budget, longest):
            if found is None:
                found = np.zeros((len(rows), vectors.shape[1]), dtype=np.float16)
            found[batch.rows] = vectors
    return np.zeros((0, 0), dtype=np.float16) if found is None else found


def load_classifier(
    path: str | Path, device: torch.device
) -> tuple[Classifier | Cascade, FinetuneSettings, list[str]]:
    """A fine-tuned network, or a cascade of two, from its weights file.

    Returns:
        The network, its settings (a cascade's: those of its first network), its families.
    """
    about = description(path)
    model = _built(about)
    model.load_state_dict(load_file(path))
    settings = FinetuneSettings.model_validate(about["run"])
    return model.to(device).eval(), settings, about["families"]


def _built(about: Mapping[str, Any]) -> Classifier | Cascade:
    """The network that a description describes, with weights of no meaning."""
    if "members" in about:
        return Cascade(*map(_built, about["members"]), about["shortlist"])
    settings = FinetuneSettings.model_validate(about["run"])
    network = about["network"] and NetworkSettings.model_validate(about["network"])
    return Classifier(network, len(about["families"]), settings, windows=about.get("windows"))
