"""Networks on tasks with states of residues, contacts, or a value of every protein."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error

from conftest import random_sequence
from pfamformer.config import EvaluationSettings, TaskRunSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.contacts import RANGES, SHARE, best_pairs, metric_of, precisions
from pfamformer.evaluation.tasks import ACCURACY, COLUMNS, SPEARMAN, Touching, evaluate
from pfamformer.report.items import cells
from pfamformer.report.tape import describe
from pfamformer.tables import read_table
from pfamformer.training.batches import collate
from pfamformer.training.objectives.labels import UNKNOWN, States, Values
from pfamformer.training.objectives.pairs import Pairs
from pfamformer.training.tasks import task_of, train_task

SETTINGS = TaskRunSettings(
    kind="task", task="x", head="pool_mean", head_dropout=0, epochs=30, learning_rate=5e-3,
    tokens_per_batch=1024, max_length=16, precision="float32", weight_decay=0,
    encoder={"kind": "resnet", "filters": 24, "kernel": 3, "blocks": 1},
)  # fmt: skip
JUDGED = EvaluationSettings(bootstrap=200)
NO_CONTACTS = pd.DataFrame({"id": [], "first": [], "second": []})
#: A residue's state, and every fifth residue of unknown state.
STATE = {letter: "HEC"[i % 3] for i, letter in enumerate("ACDEFGHIKLMNPQRSTVWY")}


def table_of(stream, rows=60, values=False):
    found = []
    for i in range(rows):
        part = "train" if i < rows - 20 else "dev" if i < rows - 10 else "test_new"
        sequence = random_sequence(stream, int(stream.integers(10, 40)))
        label = "".join("-" if j % 5 == 4 else STATE[s] for j, s in enumerate(sequence))
        value = 100 + 7 * np.mean([s in "ACDE" for s in sequence]) if values else np.nan
        found.append((f"{part}/{i}", sequence, "" if values else label, value, part))
    return pd.DataFrame(found, columns=["id", "sequence", "label", "value", "part"])


class Said(torch.nn.Module):
    """A network that says what it was given."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, tokens_BL):
        return self.logits


def test_the_loss_of_states_is_the_log_loss_of_scikit_learn(stream):
    arrays = [stream.integers(4, 24, n) for n in (5, 3)]
    states = [np.array([0, 1, UNKNOWN, 2, 1]), np.array([2, UNKNOWN, 0])]
    batch = collate(arrays, np.array([1, 0]))
    objective = States([states[1], states[0]])
    model = Said(torch.from_numpy(stream.normal(size=(2, 7, 3)))).eval()
    prepared = objective.prepare(batch, torch.Generator())
    outcome = objective(model, prepared)
    chances = model.logits.softmax(-1).detach().numpy()
    truth, said = [], []
    for b in range(2):
        for i, state in enumerate(states[b]):
            if state != UNKNOWN:
                truth.append(state)
                said.append(chances[b, i + 1])  # behind <cls>
    assert prepared.total == int(outcome.targets) == 6
    expected = log_loss(truth, said, labels=[0, 1, 2], normalize=False)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-6)
    assert int(outcome.right) == sum(np.argmax(said, 1) == truth)


def test_the_loss_of_values_is_the_squared_error_of_scikit_learn(stream):
    values, said = stream.normal(size=4), stream.normal(size=(2, 1))
    batch = collate([np.full(3, 5)] * 2, np.array([3, 1]))
    outcome = Values(torch.from_numpy(values))(Said(torch.from_numpy(said)), batch)
    expected = 2 * mean_squared_error(values[[3, 1]], said[:, 0])
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-6)


def trained(table, folder, contacts=NO_CONTACTS):
    train_task(SETTINGS, None, table, contacts, "t", folder / "state", folder, 1)
    return read_table("task", folder / "answers.parquet")


def test_states_are_learnt_along_whole_proteins(stream, tmp_path):
    table = table_of(stream)
    assert table["sequence"].str.len().max() > SETTINGS.max_length
    answers = trained(table, tmp_path)
    rows = evaluate(table, answers, JUDGED, 1)
    assert [row[0] for row in rows] == ["dev", "test_new"]
    known = table.set_index("id").loc[answers["id"], "label"].str.cat(sep="")
    said = answers["label"].str.cat(sep="")
    pairs = [(a, b) for a, b in zip(known, said, strict=True) if a != "-"]
    assert accuracy_score(*zip(*pairs, strict=True)) > 0.98


def test_values_are_learnt_in_their_own_scale(stream, tmp_path):
    table = table_of(stream, rows=120, values=True)
    answers = trained(table, tmp_path)
    truth = table.loc[table["part"] != "train", "value"]
    assert spearmanr(truth, answers["value"]).statistic > 0.8
    assert abs(answers["value"].mean() - truth.mean()) < truth.std()


def test_residues_right_are_those_of_scikit_learn(stream):
    table = table_of(stream)
    held_out = table[table["part"] != "train"]
    said = ["".join(stream.choice(list("HEC"), len(s))) for s in held_out["sequence"]]
    answers = held_out.assign(label=said).reset_index(drop=True)
    for part, count, metric, value, low, high, baseline in evaluate(table, answers, JUDGED, 1):
        rows = answers[answers["part"] == part]
        truth = held_out.loc[held_out["part"] == part, "label"].str.cat(sep="")
        pairs = [(a, b) for a, b in zip(truth, rows["label"].str.cat(sep=""), strict=True)
                 if a != "-"]  # fmt: skip
        assert count == 10 and metric == ACCURACY and low <= value <= high
        assert value == pytest.approx(100 * accuracy_score(*zip(*pairs, strict=True)))
        train = table.loc[table["part"] == "train", "label"].str.cat(sep="").replace("-", "")
        common = max("HEC", key=train.count)
        assert baseline == pytest.approx(100 * np.mean([a == common for a, _ in pairs]))


def test_rank_correlations_are_those_of_scipy(stream):
    table = table_of(stream, values=True)
    held_out = table[table["part"] != "train"]
    said = stream.integers(0, 5, len(held_out)).astype(float)  # with ties
    answers = held_out.assign(value=said).reset_index(drop=True)
    for part, _, metric, value, low, high, baseline in evaluate(table, answers, JUDGED, 1):
        inside = (held_out["part"] == part).to_numpy()
        expected = spearmanr(held_out["value"][inside], said[inside]).statistic
        assert metric == SPEARMAN and value == pytest.approx(expected)
        assert low <= value <= high and np.isnan(baseline)


def test_a_table_of_another_kind_is_refused(stream):
    table = table_of(stream)
    with pytest.raises(InputError, match="neither a value nor a state of every residue"):
        task_of(table.assign(label="fold"), NO_CONTACTS, "t")
    with pytest.raises(InputError, match="no row in part train"):
        task_of(table[:0], NO_CONTACTS, "t")
    answers = table[table["part"] == "dev"]
    with pytest.raises(InputError, match="not those of the held-out rows"):
        evaluate(table, answers, JUDGED, 1)


def bridged(stream, rows, length):
    """Proteins whose cysteines touch each other, every seventh residue unseen, and the contacts."""
    task, contacts = [], []
    for i in range(rows):
        part = "train" if i < rows - 10 else "test"
        sequence = "".join(stream.choice(list("ACDE"), length, p=[0.4, 0.1, 0.3, 0.2]))
        label = "".join("-" if j % 7 == 6 else "+" for j in range(length))
        task.append((f"{part}/{i}", sequence, label, np.nan, part))
        bridges = [j + 1 for j in range(length) if sequence[j] == "C" and label[j] == "+"]
        contacts += [(f"{part}/{i}", a, b) for a in bridges for b in bridges if a < b]
    columns = ["id", "sequence", "label", "value", "part"]
    return pd.DataFrame(task, columns=columns), pd.DataFrame(contacts, columns=NO_CONTACTS.columns)


def test_contacts_are_learnt_and_ranked(stream, tmp_path):
    table, contacts = bridged(stream, 60, 60)
    answers = trained(table, tmp_path, contacts)
    pairs = read_table("pairs", tmp_path / "pairs.parquet")
    found = evaluate(table, answers, JUDGED, 1, Touching(contacts, pairs))
    assert [row[2] for row in found] == [metric_of(words) for words in RANGES]
    seen = table.set_index("id")["label"]
    assert all(
        seen[p.id][p.first - 1] == seen[p.id][p.second - 1] == "+" for p in pairs.itertuples()
    )
    # A protein may have fewer contacts than the L/5 pairs that are judged.
    far = contacts[contacts["second"] - contacts["first"] >= 12].groupby("id").size()
    ids = table.loc[table["part"] == "test", "id"]
    best = np.mean([min(1, far.get(name, 0) / 12) for name in ids])
    _, proteins, _, value, low, high, chance = found[0]
    assert proteins == 10 and low <= value <= high and chance < 5
    assert value == pytest.approx(100 * best, abs=5)


def test_precision_is_that_of_a_loop_over_pairs(stream):
    names, length = ["a", "b", "c"], [61, 30, 11]
    seen = [stream.random(n) < 0.9 for n in length]
    scores = [(s := stream.normal(size=(n, n)).round(1)) + s.T for n in length]
    touch = [stream.random((n, n)) < 0.3 for n in length]
    task = pd.DataFrame({"id": names, "sequence": ["A" * n for n in length],
                         "label": ["".join("-+"[int(x)] for x in s) for s in seen]})  # fmt: skip
    contacts = pd.DataFrame(
        [(n, i + 1, j + 1) for n, t, s in zip(names, touch, seen, strict=True)
         for i in range(len(s)) for j in range(i + 1, len(s)) if t[i, j] and s[i] and s[j]],
        columns=NO_CONTACTS.columns,
    )  # fmt: skip
    kept = [best_pairs(*both).assign(id=n) for n, *both in zip(names, scores, seen, strict=True)]
    found = {w: precisions(task, pd.concat(kept), contacts, w) for w in RANGES}
    for words, (near, far) in RANGES.items():
        for number, n in enumerate(length):
            candidates = [
                (-scores[number][i, j], i, j) for i in range(n) for j in range(i + near, n)
                if (far is None or j - i <= far) and seen[number][i] and seen[number][j]
            ]  # fmt: skip
            best = sorted(candidates)[: max(1, n // SHARE)]
            right = [touch[number][i, j] for _, i, j in best]
            expected = sum(right) / len(right) if right else np.nan
            assert found[words][number] == pytest.approx(expected, nan_ok=True), (words, n)


def test_the_loss_of_contacts_is_the_log_loss_of_scikit_learn(stream):
    seen = [np.ones(12, bool), stream.random(20) < 0.8]
    contacts = [np.array([(0, 7), (1, 3)]), np.array([(2, 19)])]
    batch = collate([np.full(20, 5), np.full(12, 5)], np.array([1, 0]))
    objective = Pairs(seen, contacts)
    model = Said(torch.from_numpy(stream.normal(size=(2, 22, 22)))).eval()
    prepared = objective.prepare(batch, torch.Generator())
    outcome = objective(model, prepared)
    truth, said = [], []
    for b, row in enumerate((1, 0)):
        touching = set(map(tuple, contacts[row].tolist()))
        for i in range(len(seen[row])):
            for j in range(i + 6, len(seen[row])):
                if seen[row][i] and seen[row][j]:
                    truth.append((i, j) in touching)
                    said.append(model.logits[b, i + 1, j + 1].sigmoid().item())
    assert prepared.total == int(outcome.targets) == len(truth)
    expected = log_loss(truth, said, labels=[False, True], normalize=False)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-6)
    assert int(outcome.right) == sum((np.array(said) > 0.5) == truth)


def test_the_item_names_the_best_run_beside_the_commonest_state():
    rows = [
        ["secondary_structure", name, "test", 9, ACCURACY, value, value - 1, value + 1, 41.2]
        for name, value in (("a", 55.0), ("b", 61.5))
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    item = describe(table)
    assert item.text == [
        "Secondary structure, test: 61.5 (residues right, %; b, 9 proteins), the commonest "
        "training state 41.2."
    ]
    assert len(cells(item, table)) == 2
