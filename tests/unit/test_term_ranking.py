"""Methods that call GO terms, combined by trees that learn on the development part."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss
from test_term_networks import annotated_task, random_calls

from pfamformer.evaluation.terms import questions, read_calls
from pfamformer.methods import RANKING
from pfamformer.methods.calls import term_calls
from pfamformer.methods.term_combination import combine, matrix
from pfamformer.methods.term_ranking import LEAST, features, fit, frequencies, predict
from pfamformer.tables import write_table


@pytest.fixture
def task(stream, tmp_path):
    return annotated_task(stream, tmp_path)


def test_features_are_those_of_a_loop(task, stream, tmp_path):
    silent = task.held_out[::3]
    one, first = random_calls(stream, task, tmp_path / "a", "a")
    two, second = random_calls(stream, task, tmp_path / "b", "b", silent)
    for question in questions(task.terms, task.annotations):
        terms = list(question.graph.terms)
        tables = [
            calls[calls["label"].isin(terms) & calls["protein"].isin(question.proteins)]
            for calls in (first, second)
        ]
        said = [t.set_index(["protein", "label"])["score"].to_dict() for t in tables]
        highest = [t.groupby("protein")["score"].max().to_dict() for t in tables]
        frequency = frequencies(task.terms, question)
        members = [matrix(calls, question) for calls in (one, two)]
        protein, term, rows = features(members, question, frequency)
        keys = [(question.proteins[p], terms[t]) for p, t in zip(protein, term, strict=True)]
        assert sorted(keys) == sorted(set(said[0]) | set(said[1]))
        for (name, label), row in zip(keys, rows, strict=True):
            at = terms.index(label)
            expected = [
                value
                for member in (0, 1)
                for value in (
                    said[member].get((name, label), 0.0 if name in highest[member] else np.nan),
                    highest[member].get(name, 0.0),
                )
            ]
            expected += [np.log(frequency[at]), question.graph.information[at]]
            assert row == pytest.approx(expected, rel=1e-5, nan_ok=True)


def planted(stream, task, part):
    """Calls of every term on the proteins of a part: of a member that knows, and of one that does
    not; the terms that are true."""
    rows = task.annotations
    true = set(zip(rows["protein"], rows["term"], strict=True))
    proteins = sorted(set(rows.loc[rows["part"].isin(part), "protein"]))
    pairs = [(p, t) for p in proteins for t in task.terms["term"]]
    right = np.array([pair in true for pair in pairs])
    # The one that knows is not calibrated: half of what it says is far too low.
    knows = np.where(right, 0.3, 0.1) + stream.uniform(0, 0.25, len(pairs))
    return pairs, right, {"knows": knows, "guesses": stream.uniform(0.01, 1, len(pairs))}


def large_task(stream, folder):
    """As annotated_task, and three times: enough development proteins for leaves."""
    task = annotated_task(stream, folder)
    copies = []
    for number in range(8):
        rows = task.annotations[task.annotations["part"] == "dev"].copy()
        rows["protein"] = rows["protein"] + f"c{number}"
        copies.append(rows)
    rows = pd.concat([task.annotations, *copies], ignore_index=True)
    return type(task)(task.terms, rows, task.proteins)


def test_trees_trust_the_member_that_knows_and_say_probabilities(stream, tmp_path):
    task = large_task(stream, tmp_path)
    pairs, right, scores = planted(stream, task, ["dev", "test"])
    members = []
    for name, score in scores.items():
        calls = term_calls([p for p, _ in pairs], [t for _, t in pairs], score, name, "r")
        write_table(calls, "calls", tmp_path / name)
        members.append(read_calls(tmp_path / name))
    learnt = [
        fit(members, question, task.terms, 1)
        for question in questions(task.terms, task.annotations, "dev")
    ]
    assert all(ranking is not None and ranking.proteins >= LEAST for ranking in learnt)
    asked = questions(task.terms, task.annotations)
    calls = pd.concat(predict(members, learnt, asked, "r"))
    assert set(calls["method"]) == {RANKING} and calls["score"].between(0.01, 1).all()
    said = calls.set_index(["protein", "label"])["score"].to_dict()
    judged = {t for q in asked for t, j in zip(q.graph.terms, q.graph.judged, strict=True) if j}
    tested = set(task.annotations.loc[task.annotations["part"] == "test", "protein"])
    at = [i for i, (p, t) in enumerate(pairs) if t in judged and p in tested]
    truth, found = right[at], np.array([said.get(pairs[i], 0.001) for i in at])
    alone = {name: score[at] for name, score in scores.items()}
    assert average_precision_score(truth, found) > 0.97 * average_precision_score(
        truth, alone["knows"]
    )
    assert log_loss(truth, found) < min(log_loss(truth, s) for s in alone.values())
    again = pd.concat(predict(members, learnt, asked, "r"))
    pd.testing.assert_frame_equal(calls, again)


def test_without_development_proteins_the_mean_is_called(task, stream, tmp_path):
    members = [random_calls(stream, task, tmp_path / name, name)[0] for name in "ab"]
    few = questions(task.terms, task.annotations, "dev")
    assert all(len(question.proteins) < LEAST for question in few)
    assert [fit(members, question, task.terms, 1) for question in few] == [None] * len(few)
    for question in questions(task.terms, task.annotations):
        calls = pd.concat(predict(members, [], [question], "r"))
        write_table(calls, "calls", tmp_path / "c")
        found = matrix(read_calls(tmp_path / "c"), question).toarray()
        mean = combine([matrix(m, question) for m in members], [0.5, 0.5]).toarray()
        assert found == pytest.approx(np.where(mean >= 0.01, mean, 0.0))
