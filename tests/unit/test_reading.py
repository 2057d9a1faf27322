"""Sequences read by a finished network: the same bits on any number of cores."""

import threading

import numpy as np
import pytest
import torch

from conftest import random_sequence
from pfamformer.config import FinetuneSettings, NetworkSettings
from pfamformer.model.classifier import Classifier
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory
from pfamformer.training.evaluate import predict
from pfamformer.training.reading import CORE_SHARE, read, reads_on_one_core

NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)
BUDGET = 4800


def settings(encoder=None, **changes):
    given = {
        "kind": "finetune", "start_from": "x", "head": "classic", "epochs": 1,
        "tokens_per_batch": BUDGET, "max_length": 60, "learning_rate": 1e-3, "encoder": encoder,
    }  # fmt: skip
    return FinetuneSettings.model_validate(given | changes)


def network(**changes):
    torch.manual_seed(4)
    return Classifier(NETWORK, 5, settings(**changes)).eval()


@pytest.fixture
def sequences(stream):
    return InMemory([encode(random_sequence(stream, n)) for n in stream.integers(5, 80, 400)])


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def probabilities(model, sequences, run):
    found = np.empty((len(sequences), 5), np.float32)
    for batch, values in predict(model, sequences, run):
        found[batch.rows] = values
    return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_predictions_have_the_same_bits_on_any_number_of_cores(sequences, precision):
    model, run, found = network(), settings(precision=precision), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(probabilities(model, sequences, run))
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_predictions_are_those_of_each_sequence_by_itself(sequences):
    torch.set_num_threads(2)
    model, run = network(), settings(precision="float32")
    found = probabilities(model, sequences, run)
    for row in range(len(sequences)):
        residues = sequences[row][: run.max_length]
        with torch.inference_mode():
            alone = model(torch.tensor([[0, *residues, 2]])).softmax(-1)[0]
        np.testing.assert_allclose(found[row], alone, atol=1e-6)


def test_each_core_reads_batches_of_its_own_within_its_share_of_the_budget(sequences):
    torch.set_num_threads(2)
    model, used, both = network(), [], threading.Barrier(2, timeout=60)

    def answer(batch):
        if len(used) < 2:
            used.append(threading.get_ident())
            both.wait()  # two batches are being read now
        assert torch.get_num_threads() == 1
        return batch.tokens.numel()

    sizes = [size for _, size in read(model, answer, sequences, BUDGET, 60)]
    assert max(sizes) <= BUDGET // CORE_SHARE
    assert len(set(used)) == 2


@pytest.mark.parametrize(
    "encoder",
    [
        {"kind": "protcnn", "filters": 16, "kernel": 5, "blocks": 3, "first_dilated": 1},
        {"kind": "lstm", "width": 8, "hidden": 8, "layers": 2},
    ],
)
def test_other_networks_and_compiled_layers_keep_all_threads(sequences, encoder):
    torch.set_num_threads(2)
    model = network(encoder=encoder)
    assert not reads_on_one_core(model)
    pairs = list(read(model, lambda _: torch.get_num_threads(), sequences, BUDGET, 60))
    assert {answer for _, answer in pairs} == {2}
    assert max(batch.tokens.numel() for batch, _ in pairs) > BUDGET // CORE_SHARE
    transformer = network()
    assert reads_on_one_core(transformer)
    transformer.encoder.compile_layers()
    assert not reads_on_one_core(transformer)
