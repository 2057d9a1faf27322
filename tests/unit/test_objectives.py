"""Every objective: what it draws, what it computes, that it learns, that it goes on as it was."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy

from pfamformer.config import FinetuneSettings
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.alphabet import MASK, PAD
from pfamformer.training import objectives
from pfamformer.training.batches import Batch, InMemory, collate
from pfamformer.training.evaluate import evaluate
from pfamformer.training.objectives import (
    Autoregressive,
    Classification,
    MaskedLanguageModelling,
    Permutation,
    SpanMasking,
    inverse_frequency,
)
from pfamformer.training.pretraining import residue_entropy
from training_cases import FINETUNING, GOLDEN, NETWORK, PRETRAINING, case, curve, proteins, run

STREAM = 1


@pytest.fixture
def sequences() -> InMemory:
    return proteins()


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(STREAM)


def many(sequences, times=40) -> Batch:
    arrays = [sequences[i] for i in range(len(sequences))] * times
    return collate(arrays, np.arange(len(arrays)))


def few(sequences, rows=6) -> Batch:
    return collate([sequences[i] for i in range(rows)], np.arange(rows))


def residues(tokens):
    return (tokens >= 4) & (tokens <= 23)


@pytest.mark.parametrize("name", ["masked", "span"])
def test_masking_shares(sequences, name):
    kind = {"masked": MaskedLanguageModelling, "span": SpanMasking}[name]
    objective = kind(0.15, 0.8, 0.1, **({"mean": 3.0} if name == "span" else {}))
    batch = many(sequences)
    prepared = objective.prepare(batch, seeded())
    target, inputs, truth = prepared.targets, prepared.inputs, prepared.tokens
    assert not (target & ~residues(truth)).any()
    assert torch.equal(inputs[~target], truth[~target])
    assert prepared.total == int(target.sum())
    assert abs(target.sum() / residues(truth).sum() - 0.15) < 0.01
    masked = (inputs[target] == MASK).float().mean()
    kept = (inputs[target] == truth[target]).float().mean()
    assert abs(masked - 0.8) < 0.02
    assert abs(kept - (0.1 + 0.1 / 20)) < 0.02
    again = objective.prepare(batch, seeded())
    assert torch.equal(inputs, again.inputs)


def test_spans_have_their_mean_length_and_one_fate():
    tokens = torch.full((400, 300), 7)
    target, fate = SpanMasking(0.05, 0.8, 0.1, mean=3.0).choose(tokens, seeded())
    starts = target & ~F.pad(target, (1, 0))[:, :-1]
    # Poisson(3) with 0 read as 1; spans that touch look like one and lengthen the mean a little.
    expected = 3 + math.exp(-3)
    assert expected - 0.05 < target.sum() / starts.sum() < expected * 1.1
    inside = target[:, 1:] & target[:, :-1]
    changes = (fate[:, 1:] != fate[:, :-1])[inside].float().mean()
    assert changes < 0.05  # only where one span follows another


def test_rare_residues_are_drawn_and_weighed_more():
    counts = np.zeros(33, dtype=np.int64)
    counts[4:24] = 100
    counts[5], counts[6] = 300, 20
    weight = inverse_frequency(counts)
    share = torch.from_numpy(counts / counts.sum()).float()
    assert (weight * share).sum() == pytest.approx(1, abs=1e-5)
    assert (weight[:4] == 0).all() and weight[6] == pytest.approx(15 * weight[5].item(), rel=1e-5)
    tokens = torch.from_numpy(
        np.random.default_rng(1).choice(
            33, (300, 300), p=share.double().numpy() / share.double().numpy().sum()
        )
    )
    target, _ = MaskedLanguageModelling(0.15, 1, 0, draw_V=weight).choose(tokens, seeded())
    drawn = torch.bincount(tokens[target], minlength=33)[4:24].float()
    # As often as any other, whatever their frequency.
    assert ((drawn / drawn.mean() - 1).abs() < 0.15).all()
    assert abs(target.float().mean() - 0.15) < 0.01


def test_loss_is_the_weighted_cross_entropy_of_the_targets(sequences):
    torch.manual_seed(3)
    model = MaskedLanguageModel(NETWORK).double()
    weight = torch.rand(33, dtype=torch.float64)
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1, weight_V=weight)
    prepared = objective.prepare(few(sequences), seeded())
    outcome = objective(model, prepared)
    logits = model.logits(model.encoder(prepared.inputs)).float()
    expected = sum(
        -F.log_softmax(logits[b, i], -1)[t := prepared.tokens[b, i]] * weight[t].float()
        for b, i in prepared.targets.nonzero().tolist()
    )
    torch.testing.assert_close(outcome.loss, expected)
    assert int(outcome.targets) == prepared.total


def test_autoregression_sees_no_future(sequences):
    torch.manual_seed(3)
    model = MaskedLanguageModel(NETWORK).double()
    batch = Autoregressive().prepare(few(sequences, 1), seeded())
    # Changing a residue must leave the losses of all residues up to it alone.
    logits = model.logits(model.encoder(batch.inputs, *causal()))
    changed = batch.inputs.clone()
    changed[0, 5] = 4 + (changed[0, 5] - 3) % 20
    other = model.logits(model.encoder(changed, *causal()))
    torch.testing.assert_close(logits[0, :5], other[0, :5])
    assert not torch.allclose(logits[0, 5], other[0, 5])
    expected = sum(
        -F.log_softmax(logits[0, i - 1].float(), -1)[batch.tokens[0, i]]
        for i in batch.targets[0].nonzero().flatten().tolist()
    )
    torch.testing.assert_close(Autoregressive()(model, batch).loss, expected)


def causal():
    from pfamformer.model.attention import Pattern

    return (Pattern(causal=True),)


def test_permutation_predicts_from_what_came_before(sequences):
    """The gradient of each question's loss reaches exactly the residues before it in the order."""
    torch.manual_seed(3)
    model = MaskedLanguageModel(NETWORK).double()
    objective = Permutation(0.2)
    batch = objective.prepare(few(sequences, 2), seeded())
    length = batch.tokens.shape[1]
    rank, truth = batch.extra["rank"], batch.extra["truth"]
    for row in range(2):
        count = math.ceil(0.2 * int(residues(batch.tokens[row]).sum()))
        assert (truth[row] >= 0).sum() == batch.targets[row].sum() == count
    embedded = []
    handle = model.encoder.embedding.register_forward_hook(
        lambda module, given, out: embedded.append(out.requires_grad_()) or out
    )
    x = model.encoder(batch.inputs, objective.pattern(rank, length), batch.extra["positions"])
    handle.remove()
    packed = batch.inputs != PAD
    row, question = 0, 1
    score = model.logits(x[row, length + question])[truth[row, question]]
    (gradient,) = torch.autograd.grad(score, embedded[0])
    reached = torch.zeros(packed.shape, dtype=torch.bool)
    reached[packed] = gradient.abs().sum(-1) > 0
    mine = rank[row, length + question]
    expected = (rank[row] < mine) & packed[row]
    expected[length:] = False
    expected[length + question] = True
    assert torch.equal(reached[row], expected) and not reached[1 - row].any()


@pytest.mark.parametrize("name", [*PRETRAINING, *FINETUNING])
def test_losses_are_the_golden_ones(tmp_path, name):
    """First steps of every objective; tests/training_cases.py writes them."""
    expected = json.loads(GOLDEN.read_text())[name]
    assert curve(name, tmp_path) == pytest.approx(expected, rel=2e-4)


def test_every_objective_has_a_golden_curve():
    shown = {type(case(name)[2]).__name__ for name in json.loads(GOLDEN.read_text())}
    shown.add("TokenRegulariser")  # a part of WithRegulariser's
    made = {name for name in objectives.__all__ if hasattr(getattr(objectives, name), "prepare")}
    assert made - {"Objective"} <= shown


@pytest.mark.parametrize("name", [*PRETRAINING, *FINETUNING])
def test_shares_of_a_batch_add_up(sequences, name):
    """Loss and gradients of three processes' shares are those of the whole batch."""
    _, model, objective = case(name)
    model.double().eval()
    batch = objective.prepare(few(sequences), seeded())
    sums = []
    for size in (1, 3):
        model.zero_grad()
        loss = 0.0
        for rank in range(size):
            outcome = objective(model, batch.share(rank, size))
            outcome.loss.backward()
            loss += float(outcome.loss.detach())
        sums.append((loss, [p.grad for p in model.parameters() if p.grad is not None]))
    assert sums[0][0] == pytest.approx(sums[1][0], rel=1e-6)
    for one, other in zip(sums[0][1], sums[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_every_part_learns(sequences):
    """No objective leaves a parameter without gradient that it was given."""
    for name in (*PRETRAINING, *FINETUNING):
        _, model, objective = case(name)
        batch = objective.prepare(few(sequences), seeded())
        objective(model, batch).loss.backward()
        idle = {n for n, p in model.named_parameters() if p.grad is None}
        if name == "replaced":  # the token head of the detector predicts nothing
            idle = {n for n in idle if n.split(".")[0] not in ("transform", "norm", "bias")}
        assert idle == set(), name


def test_calibration_of_confident_and_of_honest_predictions():
    from pfamformer.training.metrics import Calibration

    sure, honest = Calibration(), Calibration()
    hits = torch.arange(1000) % 2 == 0
    sure.add(torch.ones(1000), hits)
    honest.add(torch.full((1000,), 0.5), hits)
    assert sure.error() == pytest.approx(0.5) and honest.error() == pytest.approx(0, abs=1e-9)


def test_residue_entropy_is_the_loss_of_frequencies():
    counts = np.zeros(33)
    counts[4:24] = 1
    assert residue_entropy(counts) == pytest.approx(math.log(20))


def test_loss_without_context_is_the_conditional_entropy_of_what_is_seen():
    """Counted on drawn targets: entropy of the true residue given the one input token."""
    stream = np.random.default_rng(5)
    shares = stream.dirichlet(np.full(20, 3.0))
    tokens = torch.from_numpy(stream.choice(np.arange(4, 24), (1, 1_000_000), p=shares))
    objective = MaskedLanguageModelling(0.5, 0.7, 0.2)
    inputs, target = objective.corrupt(tokens, torch.Generator().manual_seed(1))
    pairs = np.zeros((33, 33))
    np.add.at(pairs, (inputs[target].numpy(), tokens[target].numpy()), 1)
    counted = entropy(pairs.ravel()) - entropy(pairs.sum(axis=1))
    exact = objective.context_free_loss(np.bincount(tokens.ravel(), minlength=33))
    assert exact == pytest.approx(counted, abs=0.003)
    everything_hidden = MaskedLanguageModelling(0.5, 1.0, 0.0)
    counts = np.bincount(tokens.ravel(), minlength=33)
    assert everything_hidden.context_free_loss(counts) == pytest.approx(residue_entropy(counts))


def test_a_tiny_network_learns_64_sequences_by_heart(tmp_path):
    rows = proteins(64)
    labels = torch.randperm(64, generator=seeded()) % 16
    settings = FinetuneSettings(
        kind="finetune", start_from="x", head="classic", epochs=1, tokens_per_batch=512,
        learning_rate=4e-3, precision="float32", log_every=50,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Classifier(NETWORK, 16, settings)
    run(settings, model, Classification(labels), rows, tmp_path, steps=250)
    found = evaluate(model, Classification(labels), [few(rows, 64)], settings)
    assert found["accuracy"] > 0.99
