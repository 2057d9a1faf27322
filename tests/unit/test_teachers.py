"""Fine-tuning that learns from finished networks: what they say, the loss, the settings."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from test_config import merged

from conftest import random_sequence
from pfamformer.config import FinetuneSettings, resolve
from pfamformer.errors import InputError
from pfamformer.methods.network import log_probabilities
from pfamformer.model.classifier import Classifier
from pfamformer.sequences.alphabet import encode
from pfamformer.training import teachers
from pfamformer.training.batches import collate
from pfamformer.training.objectives import TaughtClassification
from pfamformer.training.results import save_trained

CPU = torch.device("cpu")
FAMILIES = [f"F{number:02}" for number in range(20)]
SETTINGS = FinetuneSettings.model_validate(
    {
        "kind": "finetune", "head": "pool_max", "epochs": 1, "tokens_per_batch": 512,
        "encoder": {"kind": "protcnn", "filters": 8, "blocks": 1}, "learning_rate": 1e-2,
        "precision": "float32",
    }
)  # fmt: skip


@pytest.fixture
def networks(tmp_path):
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = Classifier(None, len(FAMILIES), SETTINGS).eval()
        folder = tmp_path / str(seed)
        folder.mkdir()
        save_trained(folder, model, SETTINGS, None, {"families": FAMILIES})
        found.append((model, folder / "weights.safetensors"))
    return found


def test_lessons_are_the_softened_mean_and_are_kept(networks, stream, tmp_path, monkeypatch):
    monkeypatch.setattr(teachers, "BLOCK", 7)
    sequences = [random_sequence(stream, int(n)) for n in stream.integers(5, 60, 20)]
    paths = [path for _, path in networks]
    classes, shares = teachers.lessons(paths, sequences, FAMILIES, 3.0, tmp_path / "state", CPU)
    said = [log_probabilities(model, SETTINGS, sequences).astype(float) for model, _ in networks]
    mean = np.mean(said, axis=0)
    best = np.argsort(-mean, axis=1)[:, : teachers.KEPT]
    assert np.array_equal(classes.numpy(), best)
    expected = softmax(np.take_along_axis(mean, best, 1) / 3.0, axis=1)
    assert np.allclose(shares.numpy(), expected, atol=1e-6)
    # What a killed run has asked is not asked again: the files may even be gone.
    again = teachers.lessons([], sequences, FAMILIES, 3.0, tmp_path / "state", CPU)
    assert torch.equal(again[0], classes) and torch.equal(again[1], shares)


def test_a_teacher_of_other_families_is_refused(networks, tmp_path):
    with pytest.raises(InputError, match="other families"):
        teachers.lessons([networks[0][1]], ["MKV"], FAMILIES[:-1], 2.0, tmp_path / "state", CPU)


def test_the_loss_is_half_truth_and_half_teachers(stream):
    torch.manual_seed(4)
    model = Classifier(None, len(FAMILIES), SETTINGS).train()
    rows = [encode(random_sequence(stream, n)) for n in (9, 30, 21)]
    batch = collate(rows, np.array([2, 0, 1]))
    labels = torch.tensor([3, 7, 19])
    classes = torch.tensor([[3, 1], [8, 7], [0, 19]])
    shares = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]])
    task = TaughtClassification(labels, classes, shares, 2.0)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        found = task(model, task.prepare(batch, torch.Generator()))
    with torch.random.fork_rng():
        torch.manual_seed(9)
        logits = model(batch.tokens).detach().double().numpy()
    expected = 0.0
    for row, said in zip((2, 0, 1), logits, strict=True):
        hard, soft = log_softmax(said), log_softmax(said / 2)
        expected -= 0.5 * hard[labels[row]]
        expected -= 0.5 * 4 * (shares[row].numpy() * soft[classes[row].numpy()]).sum()
    assert found.loss.item() == pytest.approx(expected, rel=1e-5)


def student(names, **changes):
    raw = merged("config.yaml", "ablations/leakage.yaml")
    raw["runs"]["other"] = {"kind": "finetune", "head": "dropout", **changes}
    raw["runs"]["student"] = {"kind": "finetune", "head": "dropout", "teachers": names}
    return resolve(raw)


def test_who_learns_from_a_leaking_network_leaks():
    assert student(["dropout_leaky_start"]).leaks("student")
    assert not student(["dropout", "cascade"]).leaks("student")


@pytest.mark.parametrize(
    ("names", "changes", "problem"),
    [
        (["dropuot"], {}, "'dropuot' is no fine-tuning run and no cascade"),
        (["chain_and_profiles"], {}, "'chain_and_profiles' is no fine-tuning run"),
        (["other"], {"teachers": ["classic"]}, "'other' learns from teachers itself"),
        (["other"], {"split": "random"}, "'other' has another split"),
        (["other"], {"new_families": 0.2}, "'other' has another split, families"),
    ],
)
def test_bad_teachers_are_named(names, changes, problem):
    with pytest.raises(InputError, match=f"runs.student.teachers: {problem}"):
        student(names, **changes)
