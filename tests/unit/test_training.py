"""The loop, its state, several processes, and the pretraining run as a whole."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from conftest import SCRIPTS, random_sequence
from pfamformer.config import PretrainSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.shards import write_index
from pfamformer.training import device
from pfamformer.training import state as state_module
from pfamformer.training.loop import Stopped
from pfamformer.training.objectives import MaskedLanguageModelling
from pfamformer.training.optimizers import make_optimizer, rate_at
from pfamformer.training.pretraining import pretrain, starting
from pfamformer.training.starts import Trained, untrained
from pfamformer.training.state import StateFolder
from pfamformer.training.time_limit import BEFORE_LIMIT, stop_at
from token_shards import write_shard
from training_cases import NETWORK, pretraining, proteins, run


@pytest.fixture
def sequences():
    return proteins()


def trained(settings, sequences, folder, **options):
    model = untrained(settings)
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    metrics = run(settings, model, objective, sequences, folder, steps=settings.steps, **options)
    return model, metrics


def equal(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


# --- loop ------------------------------------------------------------------------------------


def test_same_seed_same_weights_other_seed_others(sequences, tmp_path):
    first, _ = trained(pretraining(), sequences, tmp_path / "a")
    second, _ = trained(pretraining(), sequences, tmp_path / "b")
    third, _ = trained(pretraining(seed=2), sequences, tmp_path / "c")
    assert equal(first, second)
    assert not equal(first, third)


@pytest.mark.parametrize(
    ("stop", "changes"),
    [
        (1, {}),
        (5, {"log_every": 4}),
        (11, {"network": NETWORK.model_copy(update={"dropout": 0.1})}),
        (7, {"accumulate": 2, "steps": 6}),
        (6, {"optimizer": "muon", "schedule": "constant"}),
    ],
    ids=["first step", "between lines", "dropout", "inside a step", "Muon"],
)
def test_a_stopped_run_ends_with_the_same_bits(sequences, tmp_path, stop, changes, monkeypatch):
    settings = pretraining(**changes)
    expected, table = trained(settings, sequences, tmp_path / "whole")
    objective = MaskedLanguageModelling.__call__
    calls = []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == stop:
            os.kill(os.getpid(), signal.SIGUSR1 if stop % 2 else signal.SIGTERM)
        return objective(self, model, batch)

    monkeypatch.setattr(MaskedLanguageModelling, "__call__", interrupted)
    with pytest.raises(Stopped):
        trained(settings, sequences, tmp_path / "cut")
    assert len(calls) <= stop + 1
    found, again = trained(settings, sequences, tmp_path / "cut")
    assert equal(expected, found)
    columns = ["step", "part", "tokens", "loss", "accuracy"]
    pd.testing.assert_frame_equal(again.table()[columns], table.table()[columns], check_exact=True)


def test_the_end_of_a_job_is_asked_of_its_scheduler(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert stop_at() == math.inf
    program = tmp_path / "squeue"
    program.write_text('#!/bin/sh\n[ "$3" = 17 ] && echo 2040-01-01T10:00:00 || echo N/A\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert stop_at() == datetime(2040, 1, 1, 10).timestamp() - BEFORE_LIMIT
    monkeypatch.setenv("SLURM_JOB_ID", "18")
    assert stop_at() == math.inf


def test_training_stops_in_time_for_the_limit_of_its_job(sequences, tmp_path, monkeypatch):
    """SLURM says when the job ends; here its clock jumps past that during step 3."""
    expected, _ = trained(pretraining(), sequences, tmp_path / "whole")
    clock, calls = [1000.0], []
    objective = MaskedLanguageModelling.__call__

    def slow(self, model, batch):
        calls.append(1)
        clock[0] += 1000.0 if len(calls) == 3 else 1.0
        return objective(self, model, batch)

    monkeypatch.setenv("SLURM_JOB_END_TIME", "2000")
    with monkeypatch.context() as patched:
        patched.setattr("pfamformer.training.loop.time.time", lambda: clock[0])
        patched.setattr(MaskedLanguageModelling, "__call__", slow)
        with pytest.raises(Stopped, match="time limit of the job after step 3"):
            trained(pretraining(), sequences, tmp_path / "cut")
    monkeypatch.delenv("SLURM_JOB_END_TIME")
    found, _ = trained(pretraining(), sequences, tmp_path / "cut")
    assert equal(expected, found)


def test_accumulated_batches_are_one_large_batch(sequences, tmp_path, monkeypatch):
    """Two batches per step give the gradient of their union: the loss is a mean over targets."""
    gradients = []
    clip = torch.nn.utils.clip_grad_norm_

    def noted(parameters, *rest):
        parameters = list(parameters)
        gradients.append([p.grad.clone() for p in parameters])
        return clip(parameters, *rest)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", noted)
    settings = pretraining(steps=1, accumulate=2)
    model = untrained(settings)
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    prepared = []
    prepare = objective.prepare
    objective.prepare = lambda b, s: prepared.append(prepare(b, s)) or prepared[-1]
    run(settings, model, objective, sequences, tmp_path, steps=1)
    model = untrained(settings)
    total = sum(batch.total for batch in prepared)
    loss = sum(objective(model.train(), batch).loss for batch in prepared) / total
    expected = torch.autograd.grad(loss, list(model.parameters()))
    assert len(prepared) == 2
    for one, other in zip(gradients[0], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_loss_that_is_not_finite_stops_the_run(sequences, tmp_path, monkeypatch):
    logits = MaskedLanguageModel.logits
    monkeypatch.setattr(MaskedLanguageModel, "logits", lambda s, x: logits(s, x) * float("nan"))
    with pytest.raises(FloatingPointError, match="step 1"):
        trained(pretraining(), sequences, tmp_path)


def test_schedule_rises_then_falls_to_zero_or_stays():
    settings = pretraining(warmup_share=0.1)
    rates = [rate_at(step, 100, settings) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[100] == pytest.approx(0)
    constant = pretraining(warmup_share=0.1, schedule="constant")
    assert [rate_at(step, 100, constant) for step in range(101)] == rates[:10] + [1.0] * 91


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_each_parameter_has_one_optimiser_and_vectors_do_not_decay(name):
    model = MaskedLanguageModel(NETWORK)
    settings = pretraining(weight_decay=0.5, optimizer=name)
    optimizer = make_optimizer([(model, 1.0)], settings)
    groups = optimizer.param_groups
    decaying = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    for parameter_name, parameter in model.named_parameters():
        assert (id(parameter) in decaying) == (parameter.ndim > 1), parameter_name
    everything = [id(p) for g in groups for p in g["params"]]
    assert sorted(everything) == sorted(id(p) for p in model.parameters())
    in_muon = {
        id(p)
        for part in optimizer.parts
        if isinstance(part, torch.optim.Muon)
        for g in part.param_groups
        for p in g["params"]
    }
    matrices = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Linear)}
    assert in_muon == (matrices if name == "muon" else set())


# --- state -----------------------------------------------------------------------------------


def three_states(tmp_path):
    settings = pretraining()
    model = untrained(settings)
    optimizer = make_optimizer([(model, 1.0)], settings)
    state = StateFolder(tmp_path, {"run": settings.model_dump()})
    for step in (3, 4, 5):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        state.save(step, model, optimizer, {"step": step})
    return settings, model, optimizer, state


@pytest.mark.parametrize("damage", ["cut", "zeros", "one bit"])
def test_a_torn_state_is_passed_over_and_two_are_kept(tmp_path, damage):
    settings, _, _, state = three_states(tmp_path)
    files = sorted(tmp_path.glob("step_*.safetensors"))
    assert [f.name[5:14] for f in files] == ["000000004", "000000005"]
    content = bytearray(files[-1].read_bytes())
    if damage == "cut":
        content = content[:-100]
    elif damage == "zeros":
        content[-1000:] = bytes(1000)
    else:
        content[-7] ^= 4
    files[-1].write_bytes(content)
    fresh = untrained(settings)
    assert state.load(fresh, make_optimizer([(fresh, 1.0)], settings)) == (4, {"step": 4})


def test_other_settings_are_an_error_that_names_them(tmp_path):
    settings, model, optimizer, _ = three_states(tmp_path)
    given = settings.model_dump() | {"learning_rate": 0.5, "save_every": 7.0}
    given["network"] = given["network"] | {"heads": 4}
    with pytest.raises(
        InputError, match=r"differs in run\.learning_rate \(0\.001 before, 0\.5 now"
    ) as e:
        StateFolder(tmp_path, {"run": given}).load(model, optimizer)
    assert "run.network.heads (2 before, 4 now)" in str(e.value)
    assert "save_every" not in str(e.value)
    assert state_of(tmp_path / "none").load(model, optimizer) == (0, None)


def state_of(folder):
    return StateFolder(folder, {"run": pretraining().model_dump()})


def test_a_full_disk_costs_a_state_not_the_run(sequences, tmp_path, monkeypatch, caplog):
    expected, _ = trained(pretraining(), sequences, tmp_path / "whole")
    save, calls = state_module.save_file, []

    def full(*given, **options):
        calls.append(1)
        if len(calls) % 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(*given, **options)

    monkeypatch.setattr(state_module, "save_file", full)
    model, _ = trained(pretraining(save_every=1e-6), sequences, tmp_path / "full")
    assert equal(model, expected) and len(calls) == 12
    assert "no state was saved at step 1" in caplog.text
    found = sorted(p.name for p in (tmp_path / "full").iterdir())
    assert [name[:14] for name in found] == ["settings.json", "step_000000010", "step_000000012"]


# --- TensorBoard -----------------------------------------------------------------------------


def test_tensorboard_reads_the_metrics_of_a_run_that_was_killed_and_resumed(sequences, tmp_path):
    """Killed before step 8, with step 7 as the last whole state: row 8 is written twice."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = pretraining(tensorboard=str(tmp_path / "events"), save_every=1e-6)
    folder = tmp_path / "pretrain" / "small"
    valid = {"loss": 1.5, "accuracy": 0.25, "ece": 0.5}
    options = {"validate": lambda: valid, "validate_every": 5}

    def killed(step):
        raise KeyboardInterrupt(step)

    with pytest.raises(KeyboardInterrupt):
        trained(settings, sequences, folder, snapshot=killed, snapshots=[8], **options)
    sorted(folder.glob("step_*"))[-1].unlink()
    _, metrics = trained(settings, sequences, folder, **options)
    reader = accumulators.EventAccumulator(str(tmp_path / "events/pretrain/small"))
    reader.Reload()
    table = metrics.table()
    for part, column in (("train", "loss"), ("train", "tokens_per_second"), ("valid", "accuracy"),
                         ("valid", "calibration_error")):  # fmt: skip
        read = reader.Scalars(f"{column}/{part}")
        expected = table[table["part"] == part]
        assert [event.step for event in read] == expected["step"].tolist()  # none twice
        np.testing.assert_allclose([e.value for e in read], expected[column], rtol=1e-6)
    assert "calibration_error/train" not in reader.Tags()["scalars"]


def test_without_tensorboard_its_setting_is_one_clear_message(sequences, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    settings = pretraining(tensorboard=str(tmp_path / "events"))
    with pytest.raises(InputError, match=r"not installed\. pip install '\.\[tensorboard\]'"):
        trained(settings, sequences, tmp_path / "state")


# --- runs ------------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path, stream):
    folder = tmp_path / "corpus"
    for part, count in (("train", 200), ("valid", 20)):
        rows = [random_sequence(stream, int(n)) for n in stream.integers(20, 90, count)]
        write_index(folder / part, [write_shard(folder / part, "a", rows)], {})
    return folder


def test_several_processes_and_one_agree(tmp_path, corpus):
    """Three processes, and batches of one to four rows: some have nothing to do."""
    settings = pretraining(steps=8, log_every=4, validate_every=4, tokens_per_batch=128)
    pretrain(settings, corpus, tmp_path / "state", tmp_path / "one", threads=1)
    (tmp_path / "config.json").write_text(json.dumps(settings.model_dump()))
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=3", "--standalone",
         SCRIPTS / "pretrain.py", "--config", tmp_path / "config.json", "--corpus", corpus,
         "--state", tmp_path / "states", "--output", tmp_path / "three"],
        capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    one, three = (load_file(tmp_path / o / "weights.safetensors") for o in ("one", "three"))
    for name in one:
        torch.testing.assert_close(one[name], three[name], rtol=1e-3, atol=1e-5)
    tables = [pd.read_csv(tmp_path / o / "metrics.tsv", sep="\t") for o in ("one", "three")]
    for column in ("step", "tokens", "loss", "accuracy"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-4)
    assert json.loads((tmp_path / "three" / "summary.json").read_text())["processes"] == 3
    start = load_file(tmp_path / "one" / "untrained.safetensors")
    assert any(not torch.equal(start[name], one[name]) for name in one)


def test_snapshots_are_the_weights_at_their_steps(tmp_path, corpus):
    settings = pretraining(steps=4, snapshots=[0, 2, 4], schedule="constant")
    pretrain(settings, corpus, tmp_path / "state", tmp_path / "out", threads=1)
    found = sorted((tmp_path / "out/snapshots").iterdir())
    assert [p.name for p in found] == [f"step_{n:09d}.safetensors" for n in (0, 2, 4)]
    weights = [load_file(p) for p in found]
    start, end = starting(settings).state_dict(), load_file(tmp_path / "out/weights.safetensors")
    assert all(torch.equal(weights[0][name], start[name]) for name in start)
    assert all(torch.equal(weights[2][name], end[name]) for name in end)
    # Two constant steps in the middle: half-way is neither end.
    assert not torch.equal(weights[1]["transform.weight"], end["transform.weight"])
    metrics = pd.read_csv(tmp_path / "out/metrics.tsv", sep="\t")
    valid = metrics["part"] == "valid"
    assert metrics["calibration_error"].notna().tolist() == valid.tolist()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("objective", ["replaced", "distillation"])
def test_only_the_network_proper_is_written(tmp_path, corpus, objective):
    teacher = None
    if objective == "distillation":
        bigger = pretraining(network=NETWORK.model_copy(update={"width": 48}))
        teacher = Trained(PretrainSettings.model_validate(bigger.model_dump()), None)
    settings = pretraining(steps=2, objective=objective, teacher=teacher and "bigger")
    pretrain(settings, corpus, tmp_path / "state", tmp_path / "out", 1, teacher)
    found = load_file(tmp_path / "out/weights.safetensors")
    assert found.keys() == MaskedLanguageModel(NETWORK).state_dict().keys()


def test_empty_corpus_is_one_clear_message(tmp_path, corpus):
    write_index(corpus / "valid", [write_shard(corpus / "valid", "a", [])], {})
    with pytest.raises(InputError, match=r"valid/index\.json: no sequence"):
        pretrain(pretraining(), corpus, tmp_path / "state", tmp_path / "out", 1)


def test_foreign_residue_in_a_shard_is_refused(tmp_path):
    with pytest.raises((ValueError, InputError), match="not an amino acid"):
        write_shard(tmp_path, "a", ["MKT*"])


@pytest.mark.parametrize(
    ("processor", "amx", "expected"),
    [
        ("sapphirerapids", True, torch.bfloat16),
        ("emeraldrapids", False, torch.float32),  # half the rate of float32
        ("znver4", False, torch.bfloat16),
    ],
)
def test_number_format_is_the_faster_one(monkeypatch, processor, amx, expected):
    monkeypatch.setattr(device.binding, "get_host_cpu_name", lambda: processor)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    cpu = torch.device("cpu")
    assert device.number_format("auto", cpu) == expected
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert device.number_format("auto", cpu) == (expected if amx else torch.float32)
    assert device.number_format("bfloat16", cpu) == torch.bfloat16
