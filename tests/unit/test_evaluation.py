import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.classification import accuracy, correct, difference, mcnemar
from pfamformer.report.published import TABLE_3
from pfamformer.report.table_3 import Entry, make_comparisons, make_table

OPTIONS = {"draws": 2000, "confidence": 0.95, "seed": 1}


@pytest.fixture
def split(stream):
    rows = 300
    families = stream.integers(0, 20, rows)
    return pd.DataFrame(
        {
            "id": [f"d{i}" for i in range(rows)],
            "family": [f"F{f}" for f in families],
            "component": stream.integers(0, 120, rows),
            "part": ["test"] * 250 + ["train"] * 50,
        }
    )


def predicted(split, stream, share, method="classic", run="r"):
    test = split[split["part"] == "test"]
    right = stream.random(len(test)) < share
    return pd.DataFrame(
        {
            "id": test["id"].to_numpy(),
            "truth": test["family"].to_numpy(),
            "predicted": np.where(right, test["family"], "other"),
            "score": 1.0,
            "method": method,
            "run": run,
        }
    ).sample(frac=1, random_state=1)


def test_accuracy_agrees_with_scikit_learn(split, stream):
    metrics = pytest.importorskip("sklearn.metrics")
    predictions = predicted(split, stream, 0.7)
    found = accuracy(correct(predictions, split), **OPTIONS)
    expected = metrics.accuracy_score(predictions["truth"], predictions["predicted"])
    assert found.per_instance.value == pytest.approx(expected)
    labels = sorted(predictions["truth"].unique())
    recalls = metrics.recall_score(
        predictions["truth"], predictions["predicted"], labels=labels, average="macro"
    )
    assert found.per_family.value == pytest.approx(recalls)
    assert found.per_instance.low < expected < found.per_instance.high


def test_interval_follows_components_not_rows():
    rows = 200
    single = pd.DataFrame(
        {"id": range(rows), "family": "F", "component": range(rows), "right": [True, False] * 100}
    )
    # The same rows in 20 components that are right or wrong as a whole.
    grouped = single.sort_values("right").assign(component=np.arange(rows) // 10)
    width = lambda table: (lambda i: i.high - i.low)(accuracy(table, **OPTIONS).per_instance)  # noqa: E731
    # Binomial: 2 * 1.96 * sqrt(0.25 / n).
    assert width(single) == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 200), rel=0.1)
    assert width(grouped) == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 20), rel=0.15)


def test_mcnemar_agrees_with_statsmodels(split, stream):
    one = correct(predicted(split, stream, 0.7), split)
    other = correct(predicted(split, stream, 0.6), split)
    table = pd.crosstab(one.set_index("id")["right"], other.set_index("id")["right"])
    assert mcnemar(one, other) == pytest.approx(reference_mcnemar(table, exact=True).pvalue)
    assert mcnemar(one, one) == 1.0


def test_difference_is_paired(split, stream):
    one = correct(predicted(split, stream, 0.7), split)
    gain = difference(one, one, **OPTIONS)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)
    worse = one.assign(right=False)
    gain = difference(one, worse, **OPTIONS)
    assert gain.value == pytest.approx(one["right"].mean()) and gain.low > 0.5


def test_predictions_of_another_split_are_refused(split, stream):
    predictions = predicted(split, stream, 0.7)
    with pytest.raises(InputError, match=r"x.parquet: 249 predictions are not those of the 250"):
        correct(predictions.iloc[1:], split, "x.parquet")


def test_table_3_puts_published_numbers_beside_ours(split, stream):
    settings = EvaluationSettings(bootstrap=200)
    entries = [
        Entry(predicted(split, stream, 0.5, "classic", "a"), "pretrained", "a"),
        Entry(predicted(split, stream, 0.2, "classic", "b"), "untrained", "b"),
        Entry(predicted(split, stream, 0.9, "top-pick pHMM", "h"), "none", "h"),
    ]
    table = make_table(entries, split, settings, 1)
    assert table["method"].tolist()[:3] == ["top-pick pHMM", "classic", "classic"]
    assert set(table["method"]) == set(TABLE_3)
    assert table.set_index("run").loc["a", "published"] == TABLE_3["classic"]
    assert table.set_index("run").loc["b", "p_against_phmm"] < 0.001
    assert np.isnan(table.set_index("run").loc["h", "p_against_phmm"])
    (comparison,) = make_comparisons(entries, split, settings, 1)
    assert comparison["method"] == "classic"
    assert 15 < comparison["low"] < comparison["gain"] < comparison["high"] < 45
