"""Where a family classifier looks: its decision read residue by residue (study, section 3.5).

Three readings: attention of ``<cls>`` in the last layer, heads put together by mean and by median;
the gradient of the class probability with respect to each residue's embedding, averaged over its
dimensions, as a softmax over residues; and what each residue says by itself, for heads that can
tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from pfamformer.config import FinetuneSettings
from pfamformer.errors import InputError
from pfamformer.methods import network
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import Encoder


def load_classifier(path: str | Path) -> tuple[Classifier, FinetuneSettings]:
    """A fine-tuned network in evaluation mode, on the CPU, and the settings of its run.

    Raises:
        InputError: not the weights of a fine-tuned network.
    """
    try:
        model, settings, _ = network.load_classifier(str(path), torch.device("cpu"))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            path,
            f"not the weights of a fine-tuned network ({error})",
            remedy="Delete it and rerun its fine-tuning",
        ) from error
    return model, settings


def readings(model: Classifier, tokens_1L: Tensor) -> dict[str, np.ndarray]:
    """Every reading that the network allows of one sequence: name to scores of its residues, (L,).

    Attention and gradient shares are multiplied by the number of residues, so that 1 is what a
    residue has that is like all others, whatever the length.
    """
    found: dict[str, Tensor] = {}
    if isinstance(model.encoder, Encoder):
        *_, last = model.encoder.layers()
        given: list[tuple] = []
        # One pass through the network serves both; only the last layer's weights are needed.
        handle = last.attention.register_forward_pre_hook(lambda _, inputs: given.append(inputs))
        try:
            gradient = gradient_shares(model, tokens_1L)
        finally:
            handle.remove()
        with torch.no_grad():
            asked_HL = last.attention.weights(*given[-1])[0, :, 0, 1:-1].float()
        shares = {
            "attention, mean of heads": asked_HL.mean(0),
            "attention, median of heads": asked_HL.median(0).values,
            "gradient": gradient,
        }
        found |= {name: share * len(share) for name, share in shares.items()}
    if hasattr(model.head, "residues"):
        with torch.no_grad():
            said_LC = model.residues(tokens_1L)[0, 1:-1].float()
        # The largest probability of any class: the study's threshold is on that.
        found["residue probabilities"] = said_LC.softmax(-1).amax(-1)
    return {name: values.cpu().numpy() for name, values in found.items()}


def gradient_shares(model: Classifier, tokens_1L: Tensor) -> Tensor:
    """Softmax over residues of the mean gradient of the likeliest class's probability, (L,)."""
    captured: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        captured.append(output.detach().requires_grad_())
        return captured[0]

    handle = model.encoder.embedding.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            probability = model(tokens_1L).float().softmax(-1).amax()
            (slope,) = torch.autograd.grad(probability, captured[0])
    finally:
        handle.remove()
    return slope.reshape(tokens_1L.shape[1], -1)[1:-1].mean(-1).softmax(0)


def best_threshold(scores: np.ndarray, inside: np.ndarray) -> float:
    """The threshold that tells most residues right when ``score >= threshold`` means inside.

    Args:
        scores: of residues, (N,).
        inside: whether each is inside a domain, (N,).
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], inside[order]
    right = np.concatenate([[0], np.cumsum(np.where(truth, 1, -1))])
    # Only between different scores can a threshold lie.
    ends = np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])
    best = int(np.argmax(np.where(ends, right, right.min() - 1)))
    return float("inf") if best == 0 else float(ranked[best - 1])


def paint(length: int, places: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether each residue of a protein is inside a domain (``start``, ``end``: inclusive)."""
    inside = np.zeros(length, dtype=bool)
    for start, end in zip(places["start"], places["end"], strict=True):
        inside[start - 1 : end] = True
    return inside
