"""Cascades: against their two networks, and compiled chains of few classes against all."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax
from test_config import merged

from conftest import random_sequence
from pfamformer.config import FinetuneSettings, resolve
from pfamformer.errors import InputError
from pfamformer.methods import cascade
from pfamformer.methods.network import load_classifier, log_probabilities
from pfamformer.model.cascade import Cascade
from pfamformer.model.chain_compiled import BLOCK, best_of_all, best_of_few
from pfamformer.model.classifier import Classifier
from pfamformer.training.results import save_trained

FAMILIES = [f"F{number:02}" for number in range(12)]
WINDOWS = [1 + number % 5 for number in range(12)]
SHARED = {
    "kind": "finetune", "epochs": 1, "tokens_per_batch": 512, "max_length": 100,
    "learning_rate": 1e-2, "precision": "float32",
}  # fmt: skip
NAMING = FinetuneSettings.model_validate(
    SHARED | {"head": "pool_max", "encoder": {"kind": "protcnn", "filters": 8, "blocks": 1}}
)
SCORING = FinetuneSettings.model_validate(
    SHARED | {"head": "chain", "encoder": {"kind": "chain", "kernel": 4}}
)


def networks():
    torch.manual_seed(3)
    naming = Classifier(None, len(FAMILIES), NAMING)
    scoring = Classifier(None, len(FAMILIES), SCORING, windows=WINDOWS)
    return naming.eval(), scoring.eval()


@pytest.fixture
def files(tmp_path):
    naming, scoring = networks()
    for name, model, settings, more in (
        ("naming", naming, NAMING, {"windows": None}),
        ("scoring", scoring, SCORING, {"windows": WINDOWS}),
    ):
        (tmp_path / name).mkdir()
        save_trained(tmp_path / name, model, settings, None, {"families": FAMILIES} | more)
    return [tmp_path / name / "weights.safetensors" for name in ("naming", "scoring")]


@pytest.fixture
def sequences(stream):
    return [random_sequence(stream, int(n)) for n in stream.integers(5, 90, 40)]


def test_few_compiled_classes_are_those_among_all(stream):
    counts = np.array([150, 150, 97, 64, 3])
    filters = stream.normal(size=(counts.sum(), 20, 6)).astype(np.float32)
    letters = [stream.integers(0, 21, n) for n in (3, 40, 120)]
    costs = np.array([4.0, 8.0, 4.0])
    everything = best_of_all(letters, filters, counts, 3, 31, costs)
    # More than a block, some of which end early; in no order.
    chosen = np.stack([stream.permutation(150)[: BLOCK + 7] for _ in letters])
    few = best_of_few(letters, chosen, filters, counts, 3, 31, costs)
    assert np.array_equal(few, np.take_along_axis(everything, chosen, 1))


def test_a_cascade_is_both_networks_on_the_first_ones_list(sequences):
    naming, scoring = networks()
    network = Cascade(naming, scoring, 5).eval()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([0.7, 0.4]))
    one = log_probabilities(naming, NAMING, sequences)
    other = log_probabilities(scoring, NAMING, sequences)
    found = log_probabilities(network, NAMING, sequences)
    for a, b, row in zip(one, other, found, strict=True):
        best = np.argsort(-a)[:5]
        expected = log_softmax(0.7 * log_softmax(a[best]) + 0.4 * log_softmax(b[best]))
        assert np.allclose(row[best], expected, atol=1e-3)
        assert (np.delete(row, best) < -80).all()


def test_fitted_weights_are_the_likeliest_and_survive_the_file(files, sequences, stream, tmp_path):
    device = torch.device("cpu")
    dev = pd.DataFrame({"sequence": sequences, "family": FAMILIES[0]})
    network, settings, families = cascade.join(*files, None, dev, device)
    assert network.shortlist == 12
    # Truth: what the second network says, mostly.
    second = log_probabilities(network.second, settings, sequences).argmax(1)
    labels = np.where(stream.random(len(second)) < 0.8, second, stream.integers(0, 12, len(second)))
    dev = pd.DataFrame({"sequence": sequences, "family": np.array(FAMILIES)[labels]})
    found = cascade.fit(network, settings, families, ("naming", "scoring"), dev)
    assert found.domains == len(dev) and found.weights["scoring"] > 0

    def loss(weights):
        _, evidence = cascade.listed(network, settings, sequences)
        classes, _ = cascade.listed(network, settings, sequences)
        score = log_softmax(evidence @ np.array(weights), axis=1)
        return -score[classes == labels[:, None]].mean()

    fitted = [found.weights["naming"], found.weights["scoring"]]
    assert found.loss == pytest.approx(loss(fitted), rel=1e-4)
    # The fit's own pull towards 1 is small beside 40 domains.
    for change in ((0.3, 0), (0, 0.3), (0, -0.3)):
        moved = np.maximum(np.add(fitted, change), 0)
        assert loss(moved) > found.loss - 0.01
    path = tmp_path / "weights.safetensors"
    cascade.save(path, network, *files)
    again, settings_again, families_again = load_classifier(path, device)
    assert isinstance(again, Cascade) and families_again == FAMILIES
    assert np.array_equal(
        log_probabilities(again, settings_again, sequences),
        log_probabilities(network, settings, sequences),
    )


def test_the_list_is_as_long_as_the_development_part_needs(stream):
    families = [str(number) for number in range(1000)]
    said = stream.permuted(np.tile(-np.arange(1000.0), (300, 1)), axis=1)
    # The true family of a domain has this rank: of two domains in 300 far behind the others.
    ranks = np.r_[stream.integers(0, 70, 298), 900, 901]
    labels = np.argsort(-said, axis=1)[np.arange(300), ranks]
    dev = pd.DataFrame({"family": np.array(families)[labels]})
    assert cascade.needed(said, dev, families) == 2 * BLOCK
    assert cascade.needed(said, dev.assign(family="unknown"), families) == 1000
    assert cascade.needed(said[:, :80], dev.assign(family="79"), families[:80]) == 80


def test_networks_of_other_families_are_refused(files, tmp_path):
    (tmp_path / "other").mkdir()
    model = Classifier(None, 12, SCORING, windows=WINDOWS)
    about = {"families": [*FAMILIES[:-1], "other"], "windows": WINDOWS}
    save_trained(tmp_path / "other", model, SCORING, None, about)
    other = tmp_path / "other/weights.safetensors"
    with pytest.raises(InputError, match="other families"):
        cascade.join(files[0], other, 5, pd.DataFrame(), torch.device("cpu"))


@pytest.mark.parametrize("members", [["chain", "protcnn"], ["protcnn"], ["protcnn", "profile_hmm"]])
def test_a_cascade_ends_in_chained_motifs(members):
    raw = merged("config.yaml")
    raw["combinations"]["cascade"]["members"] = members
    with pytest.raises(InputError, match=r"combinations\.cascade\.members: a cascade is two runs"):
        resolve(raw)
