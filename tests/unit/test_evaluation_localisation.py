import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.localisation import (
    boundary_error,
    iou,
    match,
    residue_rates,
    set_aside,
    threshold_at,
)
from pfamformer.methods import FITTED, PROFILES
from pfamformer.report.localisation import make_table


def table(*rows, label="family"):
    columns = ["protein", "start", "end", label]
    if label == "label":
        columns.append("score")
    return pd.DataFrame(rows, columns=columns)


def test_overlap_equals_sets():
    stream = np.random.default_rng(0)
    for _ in range(200):
        a, b = (sorted(stream.integers(1, 30, 2)) for _ in range(2))
        first, second = (set(range(x[0], x[1] + 1)) for x in (a, b))
        assert iou(*a, *b) == pytest.approx(len(first & second) / len(first | second))


def test_a_domain_is_given_once_to_the_best_call():
    truth = table(("p", 1, 100, "A"), ("p", 201, 300, "A"), ("q", 1, 50, "B"))
    calls = table(
        ("p", 1, 90, "A", 5.0), ("p", 5, 100, "A", 9.0), ("p", 210, 305, "A", 7.0),
        ("q", 1, 50, "A", 3.0), ("q", 1, 10, "B", 2.0), label="label",
    )  # fmt: skip
    found = match(calls, truth, 0.5)
    assert found.calls["iou"].gt(0).tolist() == [True, True, False, False, False]
    assert found.scores() == pytest.approx({"precision": 2 / 5, "recall": 2 / 3, "f1": 4 / 8})
    assert found.scores(7.0) == pytest.approx({"precision": 1.0, "recall": 2 / 3, "f1": 4 / 5})
    assert boundary_error(found) == pytest.approx({"mean": (4 + 0 + 9 + 5) / 4, "median": 4.5})
    assert match(calls, truth, 0.97).scores()["recall"] == 0


def test_residue_rates_equal_scikit_learn():
    stream = np.random.default_rng(1)
    lengths = {f"p{i}": 60 for i in range(5)}
    truth = table(*((p, 11, 40, stream.choice(["A", "B"])) for p in lengths))
    rows = [(p, *sorted(stream.integers(1, 61, 2)), "A", 1.0) for p in lengths]
    calls = table(*rows, label="label")
    inside, called = [], []
    for protein in lengths:
        for rows, into in ((truth, inside), (calls, called)):
            row = rows[rows["protein"] == protein].iloc[0]
            into.append((np.arange(1, 61) >= row["start"]) & (np.arange(1, 61) <= row["end"]))
    inside, called = np.concatenate(inside), np.concatenate(called)
    found = residue_rates(calls, truth, lengths)
    _, specificity, *_ = precision_recall_fscore_support(
        inside, called, pos_label=False, average="binary"
    )
    assert found["fpr"] == pytest.approx(1 - specificity)
    assert found["accuracy"] == pytest.approx((inside == called).mean())
    assert found["majority"] == pytest.approx(max(inside.mean(), 1 - inside.mean()))
    right = np.repeat((truth["family"] == "A").to_numpy(), 60)
    assert found["tpr"] == pytest.approx((called & inside & right).sum() / inside.sum())


def test_the_threshold_keeps_the_stated_rate():
    stream = np.random.default_rng(2)
    false, true = stream.normal(0, 1, 500), stream.normal(2, 1, 500)
    least = threshold_at(false, true, 0.01)
    assert (false >= least).sum() <= 0.01 * (true >= least).sum()
    lower = np.sort(np.concatenate([false, true]))
    for other in lower[lower < least]:
        assert (false >= other).sum() > 0.01 * (true >= other).sum()
    assert threshold_at(np.array([3.0]), np.array([1.0]), 0.01) == np.inf


def test_known_domains_beyond_the_truth_are_set_aside():
    columns = ["protein", "start", "end", "family"]
    truth = pd.DataFrame([("P", 1, 50, "A")], columns=columns)
    regions = pd.DataFrame(
        [("P", 1, 50, "A"), ("P", 101, 150, "A"), ("Q", 1, 50, "B")], columns=columns
    )
    calls = pd.DataFrame(
        [
            ("P", 3, 52, "A"),  # right
            ("P", 105, 150, "A"),  # known, yet not in the truth: set aside
            ("P", 105, 150, "B"),  # another family: wrong
            ("P", 140, 190, "A"),  # hardly overlaps: wrong
            ("Q", 1, 50, "B"),
        ],
        columns=["protein", "start", "end", "label"],
    )
    assert set_aside(calls, truth, regions, 0.5).index.tolist() == [0, 2, 3]


def test_two_methods_are_compared_on_the_same_resampled_components():
    names = [f"P{i}" for i in range(40)]
    slices = pd.DataFrame({"id": names, "protein": names, "component": range(40)})
    slices = slices.assign(start=1, end=100, sequence="A" * 100, kind="protein")
    slices["part"] = ["dev", "test"] * 20
    shuffled = slices.assign(id="shuffled " + slices["id"], kind="shuffled")
    slices = pd.concat([slices, shuffled])
    domains = pd.DataFrame({"id": names, "protein": names, "start": 10, "end": 60, "family": "F"})
    calls = domains.rename(columns={"family": "label"}).drop(columns="id")
    calls = calls.assign(score=0.5, method="m", run="r")
    # The worse one misses a third of the domains, and finds none that the better one does not.
    given = [("tagger", "r", calls), (PROFILES, FITTED, calls[np.arange(40) % 3 > 0])]
    settings = EvaluationSettings(bootstrap=2000, false_discovery_rate=0.5)
    table, _ = make_table(given, slices, domains, settings, 1)
    better, worse = table.iloc[0], table.iloc[1]
    gain = better["f1_at_50"] - worse["f1_at_50"]
    assert better["f1_gain_at_50"] == pytest.approx(gain) and gain > 10
    assert 0 < better["f1_gain_at_50_low"] < gain < better["f1_gain_at_50_high"]
    # Without a missed domain drawn, by chance (2/3)^20, there is no difference.
    assert better["f1_gain_at_50_p"] == pytest.approx(2 / 2000, abs=2 / 2000)
    assert (worse["f1_gain_at_50"], worse["f1_gain_at_50_p"]) == (0, 1)
