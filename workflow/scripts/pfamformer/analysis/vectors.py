"""One vector per sequence from any encoder."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from pfamformer.sequences.alphabet import EOS, PAD, RESIDUES, TOKENS
from pfamformer.training.batches import Batch, Sequences
from pfamformer.training.reading import read


def mean_vectors(
    encoder: nn.Module,
    sequences: Sequences,
    *,
    budget: int,
    max_length: int,
) -> np.ndarray:
    """Mean over residues of the final embeddings, (sequences, D); special tokens left out.

    Args:
        encoder: padded tokens (B, L) to embeddings (B, L, D).
    """
    rows: list[np.ndarray] = [np.empty(0)] * len(sequences)
    device = next(encoder.parameters()).device

    def means(batch: Batch) -> np.ndarray:
        tokens_BL = batch.tokens.to(device)
        inside_BL = (tokens_BL != PAD) & (tokens_BL != EOS)
        inside_BL[:, 0] = False
        with torch.inference_mode():
            x_BLD = encoder(tokens_BL).float() * inside_BL[..., None]
        return (x_BLD.sum(1) / inside_BL.sum(1, keepdim=True)).cpu().numpy()

    for batch, mean_BD in read(encoder, means, sequences, budget, max_length):
        for row, vector in zip(batch.rows, mean_BD, strict=True):
            rows[row] = vector
    return np.stack(rows)


def vectors_by_name(
    names: Iterable[str],
    encoders: Iterable[nn.Module],
    sequences: Sequences,
    *,
    budget: int,
    max_length: int,
) -> dict[str, np.ndarray]:
    """:func:`mean_vectors` of as many encoders as there are names."""
    return {
        name: mean_vectors(encode, sequences, budget=budget, max_length=max_length)
        for name, encode in zip(names, encoders, strict=True)
    }


def composition(sequences: Sequences) -> np.ndarray:
    """Share of each residue, (sequences, residues): what is known without any network."""
    letters = [TOKENS.index(letter) for letter in RESIDUES if letter in TOKENS]
    counts = [np.bincount(sequences[i], minlength=len(TOKENS)) for i in range(len(sequences))]
    table = np.stack(counts)[:, letters].astype(float)
    return table / table.sum(1, keepdims=True)


def unit(x_ND: np.ndarray, centre_D: np.ndarray) -> np.ndarray:
    """Vectors around a centre, length one: their products are cosine similarities."""
    centred = x_ND - centre_D
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
