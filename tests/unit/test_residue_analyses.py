"""Measures behind figures 7–12 and table 1, against SciPy, scikit-learn and plain loops."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import mannwhitneyu, spearmanr
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from pfamformer.analysis.calibration import BINS, expected_calibration_error, reliability
from pfamformer.analysis.distributions import cliffs_delta, mean_difference, modes
from pfamformer.analysis.embedding import (
    mantel,
    mean_silhouette,
    silhouette,
    similarity_matrices,
)
from pfamformer.analysis.masked_loss import masked_losses
from pfamformer.analysis.networks import Snapshot, residue_log_probabilities
from pfamformer.analysis.posteriors import frequencies, posteriors, statistics
from pfamformer.analysis.residues import BLOSUM_ORDER, GROUPS, PROPERTIES, blosum62, residue_rows
from pfamformer.analysis.windows import HELD_OUT, OUTSIDE, TRAINING, Window, draw_windows
from pfamformer.config import NetworkSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.report.figure_9 import OVALS, PLACES
from pfamformer.report.frequencies import learning_order
from pfamformer.report.table_1 import make_table
from pfamformer.sequences.alphabet import INDEX, STANDARD, encode
from pfamformer.training.batches import InMemory
from pfamformer.training.objectives import MaskedLanguageModelling
from pfamformer.training.state import save_weights

NETWORK = NetworkSettings(layers=2, width=16, heads=2, feed_forward=32)


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(5)
    model = MaskedLanguageModel(NETWORK).eval()
    save_weights(tmp_path / "w.safetensors", model, {"network": NETWORK.model_dump()})
    return model, Snapshot(0, tmp_path / "w.safetensors")


def windows(stream, number=6):
    return [
        Window(
            f"P{i}", 0, encode("".join(stream.choice(list(STANDARD), 20 + 3 * i))),
            (np.arange(20 + 3 * i) % 3).astype(np.uint8),
        )
        for i in range(number)
    ]  # fmt: skip


def test_similarities_are_those_of_scikit_learn(stream):
    x = stream.normal(size=(20, 7))
    found = similarity_matrices(x)
    np.testing.assert_allclose(found["Euclidean distance"], euclidean_distances(x), atol=1e-7)
    np.testing.assert_allclose(found["cosine similarity"], cosine_similarity(x), atol=1e-12)
    np.testing.assert_allclose(found["dot product"], x @ x.T)


def test_mantel_is_exact_where_all_permutations_can_be_counted(stream):
    a, b = (m + m.T for m in stream.normal(size=(2, 5, 5)))
    upper = np.triu_indices(5, 1)
    every = [
        spearmanr(a[upper], b[np.ix_(order, order)][upper]).statistic
        for order in map(list, itertools.permutations(range(5)))
    ]
    found = mantel(a, b, draws=20_000, seed=1)
    assert found.correlation == pytest.approx(every[0])
    exact = np.mean(np.abs(every) >= abs(every[0]) - 1e-12)
    assert found.p == pytest.approx(exact, abs=0.02)


def test_mantel_finds_blosum_in_its_own_embedding():
    values, vectors = np.linalg.eigh(blosum62())
    embedding = vectors * np.sqrt(np.clip(values, 0, None))
    found = mantel(similarity_matrices(embedding)["dot product"], blosum62(), draws=499, seed=1)
    assert found.correlation > 0.9 and found.p == 1 / 500


def test_silhouette_is_that_of_scikit_learn(stream):
    x = stream.normal(size=(20, 4))
    labels = np.array([0] * 6 + [1] * 6 + [2] * 7 + [3])
    expected = silhouette_score(x, labels, metric="cosine")
    distance = 1 - cosine_similarity(x)
    np.fill_diagonal(distance, 0)
    assert mean_silhouette(distance, labels) == pytest.approx(expected)
    separated = x + 20 * np.eye(4)[labels]
    assert silhouette(separated, list(labels), draws=99, seed=1)[1] == 0.01


def test_residue_rows_follow_the_tokens(stream):
    embedding = stream.normal(size=(33, 4))
    rows = residue_rows(embedding)
    for letter, row in zip(BLOSUM_ORDER, rows, strict=True):
        np.testing.assert_array_equal(row, embedding[INDEX[letter]])
    assert sorted("".join(GROUPS.values())) == sorted(BLOSUM_ORDER)


def test_the_venn_diagram_shows_the_properties():
    for name, oval in OVALS.items():
        inside = {residue for residue, place in PLACES.items() if oval.holds(place)}
        assert inside == set(PROPERTIES[name]), name
    assert set(PLACES) == set(BLOSUM_ORDER)


def test_statistics_agree_with_a_loop(stream):
    log_p = torch.log_softmax(torch.from_numpy(stream.normal(size=(9, 20)) * 3), -1)
    truth = torch.from_numpy(stream.integers(20, size=9))
    prior = stream.dirichlet(np.ones(20))
    found = statistics(log_p, truth, torch.from_numpy(np.log(prior)))
    for i in range(9):
        p = log_p[i].exp().numpy()
        assert found["entropy"][i].item() == pytest.approx(-sum(v * math.log(v) for v in p))
        divergence = sum(v * math.log(v / f) for v, f in zip(p, prior, strict=True))
        assert found["divergence"][i].item() == pytest.approx(divergence)
        assert found["confidence"][i].item() == pytest.approx(max(p))
        assert found["predicted"][i].item() == int(np.argmax(p))
        assert found["loss"][i].item() == pytest.approx(-math.log(p[truth[i]]))


def test_posteriors_are_those_of_single_sequences(network, stream):
    model, snapshot = network
    found = windows(stream)
    prior = frequencies(np.bincount(np.concatenate([w.tokens for w in found]), minlength=33))
    table, course = posteriors(
        [snapshot], found, prior, share=0.3, budget=100, device=torch.device("cpu"), seed=1
    )
    for number, window in enumerate(found):
        tokens = torch.tensor([[0, *window.tokens, 2]])
        with torch.inference_mode():
            log_p = residue_log_probabilities(model.logits(model.encoder(tokens)[0, 1:-1]))
        rows = table[(table["protein"] == number) & ~table["masked"]]
        np.testing.assert_allclose(rows["confidence"], log_p.exp().max(-1).values, rtol=1e-4)
        np.testing.assert_array_equal(rows["region"], window.region)
        np.testing.assert_array_equal(rows["residue"], window.tokens - INDEX["L"])
    masked = table[table["masked"]]
    assert 0.15 < len(masked) / (~table["masked"]).sum() < 0.45
    right = masked[masked["predicted"] == masked["residue"]]
    for row in course.itertuples():
        of_it = masked[masked["residue"] == STANDARD.index(row.residue)]
        hits = (right["residue"] == STANDARD.index(row.residue)).sum()
        assert row.real == pytest.approx(len(of_it) / len(masked))
        assert row.recall == pytest.approx(hits / max(1, len(of_it)))
    assert course["probability"].sum() == pytest.approx(1)


def test_windows_surround_a_held_out_domain_and_know_the_others():
    sequence = "ACDEFGHIKL" * 10
    places = [("a", 11, 20), ("b", 15, 30), ("c", 80, 90)]
    domains = pd.DataFrame(
        [(f"{n}", "P1.1", s, e, n, "", sequence[s - 1 : e]) for n, s, e in places],
        columns=["id", "protein", "start", "end", "family", "clan", "sequence"],
    )
    split = pd.DataFrame({"id": ["a", "b", "c"], "part": ["test", "train", "train"]})
    proteins = pd.DataFrame({"protein": ["P1.1"], "sequence": [sequence]})
    (found,) = draw_windows(domains, split, proteins, most=5, max_length=40, seed=1)
    assert found.start == 0 and len(found.tokens) == 40
    assert (found.region[10:20] == HELD_OUT).all() and (found.region[20:30] == TRAINING).all()
    assert (found.region[:10] == OUTSIDE).all() and (found.region[30:] == OUTSIDE).all()
    np.testing.assert_array_equal(found.tokens, encode(sequence[:40]))


def test_cliffs_delta_is_the_mann_whitney_statistic(stream):
    a, b = stream.integers(8, size=40), stream.integers(2, 10, size=25)
    u = mannwhitneyu(a, b).statistic
    assert cliffs_delta(a, b) == pytest.approx(2 * u / (40 * 25) - 1)


def test_differences_of_means_resample_whole_groups(stream):
    group = np.repeat(np.arange(30), 20)
    shift = np.repeat(stream.normal(size=30), 20)
    first = np.tile([True, False], 300)
    values = shift + np.where(first, 0.5, 0) + 0.1 * stream.normal(size=600)
    found = mean_difference(values, first, group, draws=500, confidence=0.95, seed=1)
    assert found.value == pytest.approx(values[first].mean() - values[~first].mean())
    assert found.low < 0.5 < found.high and found.high - found.low < 0.1


def test_modes_of_a_mixture_are_found_at_a_limit_too(stream):
    values = np.concatenate([np.abs(stream.normal(0, 0.05, 3000)), stream.normal(1.9, 0.2, 3000)])
    found = modes(values, (0, 3), 1)
    assert len(found) == 2
    assert found[0] < 0.1 and found[1] == pytest.approx(1.9, abs=0.1)


def test_calibration_agrees_with_a_loop(stream):
    confidence = stream.uniform(0, 1, 3000)
    confidence[0] = 1.0
    right = stream.uniform(size=3000) < confidence**2
    groups = stream.integers(50, size=3000)
    expected = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = (confidence >= low) & ((confidence < high) | (number == BINS - 1))
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    error, excess = expected_calibration_error(
        confidence, right, groups, draws=500, level=0.95, seed=1
    )
    assert error.value == pytest.approx(expected)
    assert excess.value == pytest.approx(confidence.mean() - right.mean())
    assert excess.low > 0.1, "squaring makes confidence too high"
    table = reliability(confidence, right, 0.95)
    assert table["predictions"].sum() == 3000
    assert (table["accuracy_low"] <= table["accuracy"]).all()


def test_masked_losses_are_those_of_single_sequences(network, stream):
    model, _ = network
    sequences = InMemory([w.tokens for w in windows(stream)])
    objective = MaskedLanguageModelling(0.3, 0.8, 0.1)
    table = masked_losses(model, sequences, objective, budget=10_000, max_length=100, seed=3)
    # One batch, sorted by length: draw the same targets and go through them one by one.
    padded = torch.full((6, 37), 1)
    for i in range(6):
        padded[i, : len(sequences[i]) + 2] = torch.tensor([0, *sequences[i], 2])
    inputs, targets = objective.corrupt(padded, torch.Generator().manual_seed(3))
    for i in range(6):
        length = len(sequences[i]) + 2
        with torch.inference_mode():
            log_p = model.logits(model.encoder(inputs[i : i + 1, :length])[0]).log_softmax(-1)
        places = targets[i].nonzero()[:, 0]
        loss = -sum(float(log_p[p, padded[i, p]]) for p in places)
        assert table.loc[i, "targets"] == len(places)
        assert table.loc[i, "loss"] == pytest.approx(loss, rel=1e-4)
        assert table.loc[i, "right"] == sum(int(log_p[p].argmax() == padded[i, p]) for p in places)


def test_table_1_averages_over_targets_and_over_sequences():
    about = {"run": "r", "network": "trained", "sequences": "s"}
    losses = pd.DataFrame(
        {"targets": [1, 3, 0], "loss": [math.log(2), 3 * math.log(8), 0], "right": [1, 0, 0]}
    ).assign(**about)
    table = make_table(
        pd.concat([losses.assign(hidden=h) for h in ("as trained", "all masked")]),
        draws=200, confidence=0.95, seed=1,
    )  # fmt: skip
    (row,) = table.to_dict("records")
    assert row["loss"] == pytest.approx((math.log(2) + 3 * math.log(8)) / 4)
    assert row["ece"] == pytest.approx(2 ** ((1 + 9) / 4))
    assert row["perplexity"] == pytest.approx(5)
    assert row["accuracy"] == 0.25 and row["count"] == 2 and row["targets"] == 4


def test_the_order_of_learning_ignores_the_untrained_network():
    course = pd.DataFrame(
        [
            (step, residue, 0.5, 0.5, recall, real)
            for step, recalls in ((0, (0.9, 0.9)), (10, (0.9, 0)), (20, (0.9, 0.1)))
            for residue, recall, real in zip("LA", recalls, (0.6, 0.4), strict=True)
        ],
        columns=["step", "residue", "probability", "top", "recall", "real"],
    )
    assert learning_order(course)["learnt_at"].tolist() == [10, 20]


def test_files_that_are_no_weights_are_named(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"not a safetensors file")
    with pytest.raises(InputError, match=r"w\.safetensors: not the weights"):
        Snapshot(0, tmp_path / "w.safetensors").load()
