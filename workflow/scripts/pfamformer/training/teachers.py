"""What finished family networks say of training sequences, for a network that learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pfamformer.command import atomic_path, log
from pfamformer.errors import InputError
from pfamformer.methods.network import load_classifier, log_probabilities

# Likeliest classes kept of each sequence: what lies beyond is far below a thousandth, and a full
# table of a million sequences and 20,000 families would take 80 GB.
KEPT = 16
# Sequences asked about at a time: bounds the full table.
BLOCK = 5000
# Log-probability (nats) below which teachers do not differ: one sure teacher must not rule out
# what the others know.
LOWEST = -20.0


def lessons(
    teachers: Sequence[Path],
    sequences: Sequence[str],
    families: Sequence[str],
    temperature: float,
    folder: Path,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """The mean of the teachers' log-probabilities, softened.

    They are kept in ``folder`` until training ends, for a start that resumes.

    Args:
        teachers: weights files.
        families: classes of the network that learns.

    Returns:
        The likeliest classes of every sequence and their shares, which sum to 1; (sequences, K).

    Raises:
        InputError: a teacher knows other families.
    """
    path = folder / "lessons.npz"
    if path.exists():
        with np.load(path) as kept:
            return torch.from_numpy(kept["classes"]), torch.from_numpy(kept["shares"])
    networks = []
    for teacher in teachers:
        model, settings, known = load_classifier(teacher, device)
        if known != list(families):
            raise InputError(
                teacher, "knows other families than the network that learns from it",
                remedy="Train both on the same split",
            )  # fmt: skip
        networks.append((model, settings))
    classes, shares = [], []
    for start in range(0, len(sequences), BLOCK):
        block = sequences[start : start + BLOCK]
        said = [log_probabilities(*network, block).clip(LOWEST) for network in networks]
        mean_NC = torch.from_numpy(np.mean(said, axis=0))
        best = mean_NC.topk(min(KEPT, mean_NC.shape[1]), dim=1)
        classes.append(best.indices)
        shares.append((best.values / temperature).softmax(-1))
        log.info("teachers read %d of %d sequences", start + len(block), len(sequences))
    found = torch.cat(classes), torch.cat(shares)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        np.savez(out, classes=found[0].numpy(), shares=found[1].numpy())
    return found
