import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.calibration import calibrate, confidences, reliability
from pfamformer.evaluation.classification import (
    accuracy,
    correct,
    correct_clan,
    difference,
    mcnemar,
)
from pfamformer.evaluation.strata import IDENTITIES, add_strata, confusions, errors_by, within_clan
from pfamformer.report.published import TABLE_3
from pfamformer.report.table_3 import Entry, holm, make_comparisons, make_table, make_verdicts

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


def entries_of(split, stream):
    return [
        Entry(predicted(split, stream, 0.5, "classic", "a_seed1"), "pretrained", "a1", group="a"),
        Entry(predicted(split, stream, 0.6, "classic", "a_seed2"), "pretrained", "a2", group="a"),
        Entry(predicted(split, stream, 0.2, "classic", "b"), "untrained", "b"),
        Entry(predicted(split, stream, 0.9, "top-pick pHMM", "h"), "none", "h", "baseline"),
    ]


NO_CLANS = pd.Series("", index=[f"F{i}" for i in range(20)])


def test_table_3_puts_published_numbers_beside_ours(split, stream):
    settings, entries = EvaluationSettings(bootstrap=200), entries_of(split, stream)
    table = make_table(entries, split, NO_CLANS, settings, 1)
    assert table["method"].tolist()[:3] == ["top-pick pHMM", "classic", "classic"]
    assert set(table["method"]) == set(TABLE_3)
    runs = table.set_index("run")
    assert runs.loc["a", "published"] == TABLE_3["classic"]
    assert runs.loc["b", "p_against_phmm"] < 0.001
    assert np.isnan(runs.loc["h", "p_against_phmm"])
    assert runs.loc["h", "clan_accuracy"] == runs.loc["h", "accuracy"]
    (comparison,) = make_comparisons(entries, split, settings, 1)
    assert comparison["method"] == "classic"
    assert 15 < comparison["low"] < comparison["gain"] < comparison["high"] < 55


def test_repetitions_are_one_row_with_mean_and_deviation(split, stream):
    entries = entries_of(split, stream)
    row = make_table(entries, split, NO_CLANS, EvaluationSettings(bootstrap=200), 1)
    row = row.set_index("run").loc["a"]
    each = [100 * correct(e.predictions, split)["right"].mean() for e in entries[:2]]
    assert row["seeds"] == 2
    assert row["accuracy"] == pytest.approx(np.mean(each))
    assert row["accuracy_sd"] == pytest.approx(np.std(each, ddof=1))


def test_verdicts_name_the_better_one_only_where_it_is_significant(split, stream):
    settings = EvaluationSettings(bootstrap=200)
    entries = entries_of(split, stream)
    entries.append(
        Entry(entries[3].predictions.assign(run="c", method="both"), "none", "c", "combination")
    )
    found = {(v["one"], v["other"]): v for v in make_verdicts(entries, split, settings, 1)}
    assert found["a", "h"]["sentence"].startswith("Classic (a) is significantly worse than the top")
    assert found["c", "h"]["sentence"].startswith("No significant difference")
    raw = mcnemar(*(correct(entries[i].predictions, split) for i in (0, 3)))
    assert raw < found["a", "h"]["p"] <= len(found) * raw


def test_correction_for_the_number_of_comparisons_agrees_with_statsmodels(stream):
    p = [0.01, 0.04, 0.03, 0.5, 0.002]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_clans_count_where_the_family_does_not(split, stream):
    clans = pd.Series("C1", index=[*NO_CLANS.index, "other"])
    table = correct_clan(predicted(split, stream, 0.5), split, clans)
    assert table["right"].all()
    alone = correct_clan(predicted(split, stream, 0.5), split, NO_CLANS)
    assert 0.3 < alone["right"].mean() < 0.7


# --- calibration -----------------------------------------------------------------------------


@pytest.fixture
def scores(stream):
    """Log-probabilities of 6 families that are three times too sharp."""
    logits = stream.normal(0, 1.5, (4000, 6))
    true = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    truth = [stream.choice(6, p=np.exp(row)) for row in true]
    sharp = 3 * logits
    sharp -= np.log(np.exp(sharp).sum(1, keepdims=True))
    ids = np.array([f"d{i}" for i in range(4000)])
    table = pd.DataFrame(
        {
            "id": np.repeat(ids, 6),
            "part": np.repeat(np.where(np.arange(4000) < 2000, "dev", "test"), 6),
            "family": np.tile([f"F{i}" for i in range(6)], 4000),
            "score": sharp.ravel(),
            "run": "r",
        }
    )
    return table, pd.Series([f"F{i}" for i in truth], index=ids)


def test_temperature_undoes_over_confidence(scores):
    found = calibrate(*scores)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.error_scaled < 0.03 < 0.1 < found.error
    assert found.loss_scaled < found.loss


def test_reliability_and_loss_agree_with_scikit_learn(scores):
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import log_loss

    table, truth = scores
    test = table[table["part"] == "test"]
    found = confidences(test, truth, 1.0)
    accuracy_of, confidence = calibration_curve(
        found["right"], found["confidence"], n_bins=15, strategy="uniform"
    )
    bins = reliability(found)
    assert bins["accuracy"].to_numpy() == pytest.approx(accuracy_of)
    assert bins["confidence"].to_numpy() == pytest.approx(confidence)
    assert bins["domains"].sum() == 2000
    wide = test.pivot(index="id", columns="family", values="score")
    expected = log_loss(truth[wide.index], np.exp(wide.to_numpy()), labels=list(wide.columns))
    assert calibrate(table, truth).loss == pytest.approx(expected)


# --- strata ----------------------------------------------------------------------------------


def test_errors_by_identity_add_up(split, stream):
    split = split.assign(nearest_train_identity=stream.random(len(split)))
    table = add_strata(correct(predicted(split, stream, 0.7), split), split)
    bins = errors_by(table, "identity", IDENTITIES, **OPTIONS)
    assert bins["domains"].sum() == len(table)
    mean = (bins["error"] * bins["domains"]).sum() / len(table)
    assert mean == pytest.approx(100 * (1 - table["right"].mean()))
    first = table[table["identity"] < 0.1]
    assert bins["error"][0] == pytest.approx(100 * (1 - first["right"].mean()))


def test_confusions_know_the_clan():
    table = pd.DataFrame({"truth": ["A", "A", "A", "B"], "predicted": ["B", "B", "C", "B"]})
    clans = pd.Series({"A": "X", "B": "X", "C": "", "D": ""})
    found = confusions(table, clans)
    assert found.to_dict("records") == [
        {"truth": "A", "predicted": "B", "clan": "X", "domains": 2},
        {"truth": "A", "predicted": "C", "clan": "", "domains": 1},
    ]
    assert within_clan(table, clans) == (3, 2, pytest.approx(1.0))
