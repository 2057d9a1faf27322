"""One vector per sequence from any encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from pfamformer.sequences.alphabet import EOS, PAD, RESIDUES, TOKENS
from pfamformer.training.batches import Sequences, read_in_order


def mean_vectors(
    encode: Callable[[Tensor], Tensor],
    sequences: Sequences,
    *,
    budget: int,
    max_length: int,
    device: torch.device,
) -> np.ndarray:
    """Mean over residues of the final embeddings, (sequences, D); special tokens left out.

    Args:
        encode: padded tokens (B, L) to embeddings (B, L, D).
    """
    rows: list[np.ndarray] = [np.empty(0)] * len(sequences)
    for batch in read_in_order(sequences, budget, max_length):
        tokens_BL = batch.tokens.to(device)
        inside_BL = (tokens_BL != PAD) & (tokens_BL != EOS)
        inside_BL[:, 0] = False
        with torch.inference_mode():
            x_BLD = encode(tokens_BL).float() * inside_BL[..., None]
        mean_BD = (x_BLD.sum(1) / inside_BL.sum(1, keepdim=True)).cpu().numpy()
        for row, vector in zip(batch.rows, mean_BD, strict=True):
            rows[row] = vector
    return np.stack(rows)


def vectors_by_name(
    names: Iterable[str],
    encoders: Iterable[Callable[[Tensor], Tensor]],
    sequences: Sequences,
    *,
    budget: int,
    max_length: int,
) -> dict[str, np.ndarray]:
    """:func:`mean_vectors` of as many encoders as there are names, on the CPU."""
    cpu = torch.device("cpu")
    return {
        name: mean_vectors(encode, sequences, budget=budget, max_length=max_length, device=cpu)
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
