"""Masked language modelling reaches the entropy that a known corpus leaves."""

import math

import numpy as np
import torch

from pfamformer.sequences.alphabet import STANDARD, encode
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.evaluate import evaluate
from pfamformer.training.objectives import MaskedLanguageModelling
from pfamformer.training.starts import untrained
from training_cases import pretraining, run

PAIRS, NOISE, TARGETS = 8, 0.1, 0.15


def coupled(count: int, seed: int) -> InMemory:
    """Position i and i + PAIRS are partners: the second is a fixed function of the first, but for
    noise; everything else is independent."""
    stream = np.random.default_rng(seed)
    first = stream.integers(20, size=(count, PAIRS))
    partner = np.random.default_rng(0).permutation(20)[first]
    noisy = stream.random(first.shape) < NOISE
    partner[noisy] = stream.integers(20, size=int(noisy.sum()))
    letters = np.array(list(STANDARD))[np.concatenate((first, partner), axis=1)]
    return InMemory([encode("".join(row)) for row in letters])


def test_loss_is_within_two_per_cent_of_the_conditional_entropy(tmp_path):
    right = 1 - NOISE + NOISE / 20
    other = (1 - right) / 19
    known = -right * math.log(right) - 19 * other * math.log(other)
    # A partner that is itself masked (independently) says nothing.
    entropy = (1 - TARGETS) * known + TARGETS * math.log(20)
    settings = pretraining(
        steps=1000, tokens_per_batch=2048, learning_rate=2e-3, log_every=100,
        network={"layers": 2, "width": 64, "heads": 4, "feed_forward": 128, "positions": "learned"},
    )  # fmt: skip
    model = untrained(settings)
    objective = MaskedLanguageModelling(TARGETS, 1.0, 0.0)
    torch.set_num_threads(1)
    run(settings, model, objective, coupled(20_000, 1), tmp_path, steps=settings.steps)
    # Some 48,000 targets: the mean is known to half a per cent.
    held_back = coupled(20_000, 2)
    found = evaluate(model, objective, read_in_order(held_back, 4096, 100), settings)["loss"]
    assert abs(found / entropy - 1) < 0.02, (found, entropy)
