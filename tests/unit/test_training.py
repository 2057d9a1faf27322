import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conftest import SCRIPTS, random_sequence
from pfamformer.config import FinetuneSettings, NetworkSettings, PretrainSettings
from pfamformer.errors import InputError
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.alphabet import MASK, encode
from pfamformer.sequences.shards import write_index, write_shard
from pfamformer.training.batches import BatchPlan, InMemory, collate, cut_into_batches
from pfamformer.training.loop import Stopped, evaluate, make_optimizer, rate_at, train
from pfamformer.training.objectives import Classification, MaskedLanguageModelling
from pfamformer.training.runs import residue_entropy, untrained
from pfamformer.training.state import StateFolder, fingerprint

NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)


def pretraining(**changes):
    settings = {
        "kind": "pretrain", "corpus": "uniparc", "network": NETWORK, "steps": 12,
        "tokens_per_batch": 512, "learning_rate": 1e-3, "precision": "float32", "log_every": 1,
        "validate_every": 5,
    }  # fmt: skip
    return PretrainSettings.model_validate(settings | changes)


@pytest.fixture
def sequences(stream):
    return InMemory([encode(random_sequence(stream, int(n))) for n in stream.integers(5, 90, 60)])


# --- batches ---------------------------------------------------------------------------------


def test_batches_fit_the_budget_and_hold_every_row(stream):
    lengths = stream.integers(1, 300, 500)
    plan = BatchPlan(lengths, budget=1024, max_length=200, seed=4)
    tokens = np.minimum(lengths, 200) + 2
    for epoch in range(3):
        batches = plan.epoch(epoch)
        assert sorted(np.concatenate(batches)) == list(range(500))
        assert all(tokens[rows].max() * len(rows) <= 1024 for rows in batches)
    padded = sum(tokens[rows].max() * len(rows) for rows in plan.epoch(0))
    assert tokens.sum() / padded > 0.9
    assert not np.array_equal(np.concatenate(plan.epoch(0)), np.concatenate(plan.epoch(1)))


def test_too_long_a_row_gets_its_own_batch():
    batches = cut_into_batches(np.arange(3), np.array([5, 50, 5]), budget=20)
    assert [b.tolist() for b in batches] == [[0], [1], [2]]


def test_steps_are_the_same_wherever_training_starts_again(stream):
    plan = BatchPlan(stream.integers(1, 90, 40), budget=256, max_length=64, seed=5)
    whole = [(s, e, rows.tolist()) for s, e, rows in plan.steps(0, 50)]
    assert [s for s, _, _ in whole] == list(range(50))
    assert whole[-1][1] >= 1  # several epochs
    for first in (1, 17, 49):
        assert [(s, e, r.tolist()) for s, e, r in plan.steps(first, 50)] == whole[first:]


def test_windows_move_but_stay_inside(stream):
    plan = BatchPlan(np.array([500, 10]), budget=256, max_length=64, seed=5)
    starts = {plan.window(0, epoch).start for epoch in range(20)}
    assert len(starts) > 10 and max(starts) <= 436
    assert plan.window(1, 3) == slice(None)


# --- objectives ------------------------------------------------------------------------------


def test_masking_shares(sequences):
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    arrays = [sequences[i] for i in range(len(sequences))] * 40
    batch = collate(arrays, np.arange(len(arrays)))
    prepared = objective.prepare(batch, torch.Generator().manual_seed(1))
    target, inputs, truth = prepared.targets, prepared.inputs, prepared.tokens
    residue = (truth >= 4) & (truth <= 23)
    assert not (target & ~residue).any()
    assert torch.equal(inputs[~target], truth[~target])
    assert abs(target.sum() / residue.sum() - 0.15) < 0.01
    masked = (inputs[target] == MASK).float().mean()
    kept = (inputs[target] == truth[target]).float().mean()
    assert abs(masked - 0.8) < 0.01
    assert abs(kept - (0.1 + 0.1 / 20)) < 0.01
    again = objective.prepare(batch, torch.Generator().manual_seed(1))
    assert torch.equal(inputs, again.inputs)


def test_loss_is_the_cross_entropy_of_the_targets(sequences):
    torch.manual_seed(3)
    model = MaskedLanguageModel(NETWORK).double()
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    batch = collate([sequences[i] for i in range(6)], np.arange(6))
    prepared = objective.prepare(batch, torch.Generator().manual_seed(1))
    outcome = objective(model, prepared)
    logits = model.logits(model.encoder(prepared.inputs)).float()
    expected = sum(
        -F.log_softmax(logits[b, i], -1)[prepared.tokens[b, i]]
        for b, i in prepared.targets.nonzero().tolist()
    )
    torch.testing.assert_close(outcome.loss, expected)
    assert int(outcome.targets) == int(prepared.targets.sum())


def test_residue_entropy_is_the_loss_of_frequencies():
    counts = np.zeros(33)
    counts[4:24] = 1
    assert residue_entropy(counts) == pytest.approx(math.log(20))


# --- loop and state --------------------------------------------------------------------------


def run(settings, sequences, folder, steps=None, **options):
    model = untrained(settings)
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    metrics = train(
        model, objective, sequences, settings, steps=steps or settings.steps,
        plan=BatchPlan(sequences.lengths, 512, 64, settings.seed),
        optimizer=make_optimizer([(model, 1.0)], settings),
        state=StateFolder(folder, "key"), **options,
    )  # fmt: skip
    return model, metrics


def equal(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_same_seed_same_weights_other_seed_others(sequences, tmp_path):
    first, _ = run(pretraining(), sequences, tmp_path / "a")
    second, _ = run(pretraining(), sequences, tmp_path / "b")
    third, _ = run(pretraining(seed=2), sequences, tmp_path / "c")
    assert equal(first, second)
    assert not equal(first, third)


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_a_stopped_run_ends_with_the_same_bits(sequences, tmp_path, stop, monkeypatch):
    expected, table = run(pretraining(), sequences, tmp_path / "whole")
    objective = MaskedLanguageModelling.__call__
    calls = []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return objective(self, model, batch)

    monkeypatch.setattr(MaskedLanguageModelling, "__call__", interrupted)
    with pytest.raises(Stopped):
        run(pretraining(), sequences, tmp_path / "cut")
    found, again = run(pretraining(), sequences, tmp_path / "cut")
    assert equal(expected, found)
    columns = ["step", "part", "tokens", "loss", "accuracy"]
    assert again.table()[columns].equals(table.table()[columns])


def test_a_torn_state_is_passed_over_and_two_are_kept(sequences, tmp_path):
    settings = pretraining(save_every=1e-9)
    model = untrained(settings)
    optimizer = make_optimizer([(model, 1.0)], settings)
    state = StateFolder(tmp_path, "key")
    for step in (3, 4, 5):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        state.save(step, model, optimizer, [[], step])
    files = sorted((tmp_path / "key").glob("*.safetensors"))
    assert [f.name[5:14] for f in files] == ["000000004", "000000005"]
    files[-1].write_bytes(files[-1].read_bytes()[:100])
    fresh = untrained(settings)
    step, extra = state.load(fresh, make_optimizer([(fresh, 1.0)], settings))
    assert (step, extra) == (4, [[], 4])


def test_fingerprint_depends_on_settings_and_files(tmp_path):
    (tmp_path / "a").write_text("1")
    key = fingerprint({"x": 1}, tmp_path / "a")
    assert key == fingerprint({"x": 1}, tmp_path / "a")
    assert key != fingerprint({"x": 2}, tmp_path / "a")
    (tmp_path / "a").write_text("2")
    assert key != fingerprint({"x": 1}, tmp_path / "a")


def test_loss_that_is_not_finite_stops_the_run(sequences, tmp_path, monkeypatch):
    logits = MaskedLanguageModel.logits
    monkeypatch.setattr(MaskedLanguageModel, "logits", lambda s, x: logits(s, x) * float("nan"))
    with pytest.raises(FloatingPointError, match="step 1"):
        run(pretraining(), sequences, tmp_path)


def test_a_small_network_learns_labels_by_heart(stream, tmp_path):
    rows = InMemory([encode(random_sequence(stream, 30)) for _ in range(32)])
    labels = torch.arange(32) % 8
    settings = FinetuneSettings(
        kind="finetune", start_from="x", head="classic", epochs=1, tokens_per_batch=512,
        learning_rate=3e-3, precision="float32", log_every=50,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Classifier(NETWORK, 8, settings)
    train(
        model, Classification(labels), rows, settings, steps=300,
        plan=BatchPlan(rows.lengths, 512, 64, 1),
        optimizer=make_optimizer([(model, 1.0)], settings), state=StateFolder(tmp_path, "k"),
    )  # fmt: skip
    batch = collate([rows[i] for i in range(32)], np.arange(32))
    found = evaluate(model, Classification(labels), [batch], settings)
    assert found["accuracy"] > 0.97


def test_schedule_rises_then_falls_to_zero():
    settings = pretraining(warmup_share=0.1)
    rates = [rate_at(step, 100, settings) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[100] == pytest.approx(0)


def test_vectors_do_not_decay():
    model = MaskedLanguageModel(NETWORK)
    groups = make_optimizer([(model, 1.0)], pretraining(weight_decay=0.5)).param_groups
    decaying = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in decaying) == (parameter.ndim > 1), name


# --- scripts ---------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path, stream):
    folder = tmp_path / "corpus"
    for part, count in (("train", 200), ("valid", 20)):
        rows = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, count)]
        write_index(folder / part, [write_shard(folder / part, "a", rows)], {})
    return folder


def command(tmp_path, corpus, output, settings, launch=(sys.executable,)):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings.model_dump()))
    return [
        *launch, SCRIPTS / "pretrain.py", "--config", config, "--corpus", corpus,
        "--state", tmp_path / f"state-{output}", "--output", tmp_path / output,
    ]  # fmt: skip


def test_two_processes_and_one_agree(tmp_path, corpus):
    from safetensors.torch import load_file

    settings = pretraining(steps=8, log_every=4, validate_every=4)
    two = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    for output, launch in (("one", (sys.executable,)), ("two", two)):
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command(tmp_path, corpus, output, settings, launch),
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr[-3000:]
    one, two = (load_file(tmp_path / o / "weights.safetensors") for o in ("one", "two"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)
    assert json.loads((tmp_path / "two" / "summary.json").read_text())["processes"] == 2
    start = load_file(tmp_path / "one" / "untrained.safetensors")
    assert any(not torch.equal(start[name], one[name]) for name in one)


def test_empty_corpus_is_one_clear_message(tmp_path, corpus):
    write_index(corpus / "valid", [write_shard(corpus / "valid", "a", [])], {})
    ended = subprocess.run(
        command(tmp_path, corpus, "x", pretraining()), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "valid/index.json: no sequence" in ended.stderr


def test_foreign_residue_in_a_shard_is_refused(tmp_path):
    with pytest.raises((ValueError, InputError), match="not an amino acid"):
        write_shard(tmp_path, "a", ["MKT*"])
