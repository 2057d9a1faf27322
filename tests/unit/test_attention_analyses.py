"""Measures behind figures 13 and 14 and table 5, against plain loops and planted contacts."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from pfamformer.analysis.attention import attention_statistics, measures
from pfamformer.analysis.contacts import (
    FAR,
    KINDS,
    THRESHOLDS,
    Structure,
    best_head,
    contact_curves,
    curve,
    far_pairs,
    folds,
    of_kind,
    precision_at,
    predictions,
    read_attention,
    structures_of,
    totals,
)
from pfamformer.analysis.networks import Snapshot
from pfamformer.config import NetworkSettings
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.report.attention import ends_first
from pfamformer.report.figure_14 import summary
from pfamformer.sequences.alphabet import MASK, encode
from pfamformer.training.batches import InMemory
from pfamformer.training.state import save_weights

SHIFT = 12


def snapshot(model, path):
    save_weights(path, model, {"network": model.encoder.network.model_dump()})
    return Snapshot(0, path)


def copies(stream, number):
    """Sequences whose second half repeats the first: residue i is "in contact" with i + 12."""
    half = stream.integers(4, 24, size=(number, SHIFT))
    return np.concatenate([half, half], axis=1)


def planted(stream, number):
    place = np.arange(2 * SHIFT)
    contact = np.abs(place[:, None] - place) == SHIFT
    known = ~np.eye(2 * SHIFT, dtype=bool)
    return [
        Structure(f"s{i}", tokens.astype(np.uint8), known, contact)
        for i, tokens in enumerate(copies(stream, number))
    ]


def train_on_copies(model, stream, steps=250):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        tokens = torch.from_numpy(copies(stream, 48))
        tokens = F.pad(F.pad(tokens, (1, 0), value=0), (0, 1), value=2)
        target = torch.from_numpy(stream.random(tokens.shape) < 0.15) & (tokens > 3)
        # Half of the targets become a random residue: since it looks like any other, every residue
        # must be checked against its partner, not only masked ones.
        other = torch.from_numpy(stream.integers(4, 24, size=tokens.shape))
        wrong = torch.from_numpy(stream.random(tokens.shape) < 0.5)
        x_BLD = model.encoder(torch.where(target, torch.where(wrong, other, MASK), tokens))
        loss = F.cross_entropy(model.logits(x_BLD[target]), tokens[target])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_measures_agree_with_a_loop(stream):
    w = torch.from_numpy(stream.dirichlet(np.full(7, 0.3), size=(2, 7)))
    w[0, 3] = torch.eye(7)[2]  # a zero weight has no logarithm
    found = measures(w)
    for h in range(2):
        rows = [-sum(v * math.log(v) for v in row.tolist() if v > 0) for row in w[h]]
        assert found["entropy"][h].item() == pytest.approx(np.mean(rows))
        assert found["effective"][h].item() == pytest.approx(np.mean(np.exp(rows)))
        special = np.mean([row[0] + row[-1] for row in w[h].tolist()])
        assert found["special"][h].item() == pytest.approx(special)
        m = w[h].numpy()
        a = [[(m[i, j] - m[j, i]) / 2 for j in range(7)] for i in range(7)]
        norm = math.sqrt(sum(v * v for row in a for v in row))
        assert found["norm"][h].item() == pytest.approx(norm)
        assert found["asymmetry"][h].item() == pytest.approx(norm / np.linalg.norm(m))


def test_asymmetry_does_not_grow_with_the_length():
    for length in (5, 50):
        circle = torch.eye(length).roll(1, 0)[None]
        assert measures(circle)["asymmetry"].item() == pytest.approx(1 / math.sqrt(2))
        assert measures(torch.full((1, length, length), 1 / length))["asymmetry"].item() == 0


def test_statistics_ignore_padding(stream, tmp_path):
    torch.manual_seed(1)
    model = MaskedLanguageModel(NetworkSettings(layers=2, width=16, heads=2, feed_forward=16))
    arrays = [stream.integers(4, 24, size=n).astype(np.uint8) for n in (9, 14, 5)]
    table = attention_statistics(
        [snapshot(model, tmp_path / "w.safetensors")], InMemory(arrays),
        budget=100, max_length=12, device=torch.device("cpu"),
    )  # fmt: skip
    assert len(table) == 3 * 2 * 2
    for number, array in enumerate(arrays):
        tokens = torch.tensor([[0, *array[:12], 2]])
        for layer, w in enumerate(model.eval().encoder.attention_layers(tokens), 1):
            rows = table[(table["sequence"] == number) & (table["layer"] == layer)]
            expected = measures(w[0].detach())
            assert (rows["tokens"] == tokens.shape[1]).all()
            for name in ("entropy", "effective", "special", "norm", "asymmetry"):
                np.testing.assert_allclose(rows[name], expected[name], rtol=1e-4)


def one_structure(stream, length=40):
    contact = stream.random((length, length)) < 0.08
    contact = contact | contact.T
    seen = stream.random(length) < 0.9
    known = np.outer(seen, seen) & ~np.eye(length, dtype=bool)
    tokens = stream.integers(4, 24, size=length).astype(np.uint8)
    return Structure("s", tokens, known, contact & known)


def test_readings_agree_with_a_loop(stream):
    torch.manual_seed(2)
    encoder = MaskedLanguageModel(
        NetworkSettings(layers=2, width=16, heads=2, feed_forward=16)
    ).encoder.eval()
    structure = one_structure(stream)
    found = read_attention(encoder, structure)
    tokens = torch.tensor([[0, *structure.tokens, 2]])
    layers = torch.cat(list(encoder.attention_layers(tokens)), 1)[0, :, 1:-1, 1:-1].detach().numpy()
    assert found.heads.shape == (4, 2, 2, len(THRESHOLDS))
    for kind in KINDS:
        chosen = [
            (i, j) for i in range(40) for j in range(40)
            if structure.known[i, j]
            and (kind == "union" or (abs(i - j) >= FAR) == (kind == "far"))
        ]  # fmt: skip
        assert totals(structure, kind) == (
            sum(structure.contact[p] for p in chosen), len(chosen)
        )  # fmt: skip
        for matrix, counts in [*zip(layers, found.heads, strict=True),
                               (layers.max(0), found.maximum)]:  # fmt: skip
            contacts, pairs = of_kind(counts, kind)
            for t in (12, 20):
                above = [p for p in chosen if matrix[p] >= np.float32(THRESHOLDS[t])]
                assert pairs[t] == len(above)
                assert contacts[t] == sum(structure.contact[p] for p in above)
    first, second = far_pairs(structure)
    m = layers[3] + layers[3].T
    corrected = m - np.outer(m.sum(1), m.sum(0)) / m.sum()
    np.testing.assert_allclose(found.features[:, 3], corrected[first, second], atol=1e-6)


def test_curves_are_means_over_structures(stream):
    structures = [one_structure(stream) for _ in range(3)]
    torch.manual_seed(2)
    encoder = MaskedLanguageModel(
        NetworkSettings(layers=1, width=16, heads=2, feed_forward=16)
    ).encoder.eval()
    readings = [read_attention(encoder, s) for s in structures]
    found = curve([r.heads for r in readings], structures, "far")
    t = 14
    precision, recall = [], []
    for reading, structure in zip(readings, structures, strict=True):
        contacts, pairs = of_kind(reading.heads, "far")
        precision.append(contacts[:, t].sum() / pairs[:, t].sum())
        recall.append(contacts[:, t].sum() / (2 * totals(structure, "far")[0]))
    assert found.loc[t, "precision"] == pytest.approx(np.mean(precision))
    assert found.loc[t, "precision_sd"] == pytest.approx(np.std(precision, ddof=1))
    assert found.loc[t, "recall"] == pytest.approx(np.mean(recall))
    assert found.loc[len(found) - 1, "structures"] == 0  # nothing attends with a weight of one


def test_chance_is_the_precision_of_attending_everywhere(stream, tmp_path):
    torch.manual_seed(2)
    model = MaskedLanguageModel(NetworkSettings(layers=1, width=16, heads=2, feed_forward=16))
    found = snapshot(model, tmp_path / "w.safetensors")
    structures = [one_structure(stream, length) for length in (25, 60)]
    curves, base, _ = contact_curves({"trained": found}, structures, torch.device("cpu"))
    everywhere = curves[(curves["reading"] == "maximum") & (curves["network"] == "trained")]
    for kind in KINDS:
        first = everywhere[everywhere["kind"] == kind].iloc[0]
        assert first["recall"] == 1 and first["precision"] == pytest.approx(base[kind])


def test_structures_know_what_was_not_seen():
    task = pd.DataFrame(
        {"id": ["a", "b"], "sequence": ["ACDEF", "A" * 99], "label": ["++-++", "+" * 99],
         "value": np.nan, "part": "test"}
    )  # fmt: skip
    contacts = pd.DataFrame({"id": ["a", "b"], "first": [1, 1], "second": [5, 2]})
    (found,) = structures_of(task, contacts, max_length=50, most=9, seed=1)
    assert len(structures_of(task, contacts, max_length=99, most=9, seed=1)) == 2
    assert len(structures_of(task, contacts, max_length=99, most=1, seed=1)) == 1
    np.testing.assert_array_equal(found.tokens, encode("ACDEF"))
    assert found.contact[0, 4] and found.contact[4, 0] and found.contact.sum() == 2
    assert not found.known[2].any() and not found.known[:, 2].any()
    assert found.known.sum() == 12


def test_precision_at_l_counts_the_best_pairs(stream):
    structure = one_structure(stream)
    first, second = far_pairs(structure)
    score = stream.random(len(first))
    order = sorted(
        (k for k in range(len(first)) if second[k] - first[k] >= 10), key=lambda k: -score[k]
    )
    right = [structure.contact[first[k], second[k]] for k in order[:20]]
    assert precision_at(score, structure, 10, 0.5) == pytest.approx(np.mean(right))


@pytest.mark.parametrize(("number", "judged"), [(1, 0), (3, 3), (21, 21), (40, 20)])
def test_folds_never_judge_what_they_fit(number, judged):
    found = folds(number, 20, 1)
    assert sum(len(j) for _, j in found) == judged
    for fitted, left in found:
        assert not set(fitted) & set(left) and len(fitted) <= 20


def test_planted_contacts_are_found_by_the_trained_network_only(stream, tmp_path):
    torch.manual_seed(3)
    model = MaskedLanguageModel(NetworkSettings(layers=1, width=32, heads=2, feed_forward=32))
    before = snapshot(model, tmp_path / "before.safetensors")
    assert train_on_copies(model, stream) < 1
    after = snapshot(model, tmp_path / "after.safetensors")
    structures = planted(stream, 6)
    networks = {"untrained": before, "trained": after}
    curves, base, features = contact_curves(networks, structures, torch.device("cpu"))
    best = summary(curves, base).set_index(["kind", "reading", "network"])
    assert base["far"] == pytest.approx(24 / (18 * 19))
    assert best.loc[("far", "best head", "trained"), "f1"] > 50
    assert best.loc[("far", "best head", "untrained"), "f1"] < 30
    assert best.loc[("far", "maximum", "trained"), "f1"] > 60
    found = predictions(features, structures, 20, 1)
    found = found[found["share"] == "L/5"].set_index(["range", "network"])["precision"]
    assert found["at least 6 apart", "trained"] == 100
    assert found["at least 6 apart", "untrained"] < 50
    readings = [read_attention(after.load().encoder, s) for s in structures]
    assert best_head(readings, structures, "far") in (0, 1)


def test_the_ends_of_training_come_before_its_course():
    rows = pd.DataFrame({"step": [0, 0, 5, 9, 9], "head": [1, 2, 1, 1, 2]})
    found = ends_first(rows)
    assert found.values.tolist() == [[9, 1], [9, 2], [0, 1], [0, 2], [5, 1]]
