"""Layers that torch.compile has fused."""

import shutil

import numpy as np
import pytest
import torch

from conftest import random_sequence
from pfamformer.model.encoder import Encoder
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import collate
from training_cases import NETWORK


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_layers_compute_the_same(stream, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.manual_seed(4)
    encoder = Encoder(NETWORK.model_copy(update={"layers": 1})).train()
    tokens = collate([encode(random_sequence(stream, n)) for n in (12, 20)], np.arange(2)).tokens
    results = []
    for _ in range(2):
        encoder.zero_grad()
        out = encoder(tokens)
        out.square().sum().backward()
        results.append((out.detach(), [p.grad.clone() for p in encoder.parameters()]))
        encoder.compile_layers()
    names = [name for name, _ in encoder.named_parameters()]
    assert not any("_orig_mod" in name for name in names)
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-4, atol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
