"""Networks that call GO terms: likelihood, ontology, combination, recovery of ancestors."""

from itertools import product

import networkx
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics import log_loss
from test_ontology_metrics import random_ontology

from conftest import random_sequence
from pfamformer.config import EvaluationSettings, NetworkSettings, TermsSettings
from pfamformer.evaluation.ancestors import ancestors_of, recovery
from pfamformer.evaluation.terms import evaluate, questions, read_calls
from pfamformer.methods import NETWORK_AND_VOTE, term_combination
from pfamformer.methods.calls import term_calls
from pfamformer.methods.term_combination import combine, fit, matrix, predict
from pfamformer.methods.term_network import load, nearest
from pfamformer.methods.term_network import predict as predict_terms
from pfamformer.model.terms import TermClassifier, exact_shares, log_probabilities, sparse
from pfamformer.report.table_7 import COLUMNS, describe
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.go import make_task
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.term_targets import Conditions, conditions_of, log_odds, truth_of
from pfamformer.training.batches import collate
from pfamformer.training.objectives.terms import Terms
from pfamformer.training.terms import train_terms

SETTINGS = TermsSettings(
    kind="terms", start_from="x", head="pool_mean", head_dropout=0, epochs=40, learning_rate=1e-2,
    tokens_per_batch=1024, max_length=64, precision="float32", seed=3,
    encoder={"kind": "resnet", "filters": 16, "kernel": 3, "blocks": 1},
)  # fmt: skip


def annotated_task(stream, folder, terms=30, sequence=random_sequence):
    """60 training, 12 development and 12 test proteins with random terms of two ontologies."""
    random_ontology(stream, folder / "o.obo", terms)
    ontology = read_obo(folder / "o.obo")
    chosen = [t for t in ontology.terms.values() if t.parents]
    rows, sequences = [], {}
    for i in range(84):
        part = "train" if i < 60 else "dev" if i < 72 else "test"
        for at in stream.choice(len(chosen), 3, replace=False):
            rows.append((f"P{i:02d}", chosen[at].id, chosen[at].ontology, part, False))
        sequences[f"P{i:02d}"] = sequence(stream, 40)
    columns = ["protein", "term", "ontology", "part", "negative"]
    return make_task(ontology, pd.DataFrame(rows, columns=columns).drop_duplicates(), sequences, 2)


@pytest.fixture
def task(stream, tmp_path):
    return annotated_task(stream, tmp_path)


def graph_of(task):
    """The predicted terms in networkx, edges from child to parent."""
    chosen = task.terms[task.terms["predicted"]]
    graph = networkx.DiGraph()
    graph.add_nodes_from(chosen["term"])
    for term, parents in zip(chosen["term"], chosen["parents"], strict=True):
        graph.add_edges_from((term, p) for p in parents.split(",") if p in set(chosen["term"]))
    return graph


def test_the_closure_is_that_of_networkx(task):
    conditions = conditions_of(task.terms, True)
    expected = networkx.transitive_closure(graph_of(task), reflexive=True)
    wanted = networkx.to_numpy_array(expected, nodelist=conditions.terms)
    assert (conditions.closure.toarray() == wanted).all()
    alone = conditions_of(task.terms, False)
    assert (alone.closure.toarray() == np.eye(len(alone.terms))).all()


#: A diamond with a tail, and a term with two parents of which one is the root alone (number 5).
PAIRS = np.array([(4, 2), (4, 3), (2, 0), (3, 0), (3, 1), (0, 5), (1, 5)])


def losses(pairs, truth, logits):
    """Loss of each row, by the objective."""

    class Fixed(torch.nn.Module):
        def forward(self, tokens):
            return logits[: len(tokens)]

    conditions = Conditions(tuple("abcde"), pairs)
    found = []
    for row in truth:
        batch = collate([np.full(3, 5)], np.array([0]))
        objective = Terms(csr_matrix(row[None]), conditions)
        found.append(float(objective(Fixed(), objective.prepare(batch, torch.Generator())).loss))
    return np.array(found)


def test_likelihoods_of_all_consistent_sets_sum_to_one_and_give_the_marginals(stream):
    logits = torch.from_numpy(stream.normal(size=(1, 5)))
    sets = []
    for bits in product((0.0, 1.0), repeat=5):
        has = np.array([*bits, 1.0])
        if all(has[parent] >= has[child] for child, parent in PAIRS):
            sets.append(has)
    chances = np.exp(-losses(PAIRS, np.array(sets), logits))
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    marginal = chances @ np.array(sets)[:, :5]
    closure = sparse(Conditions(tuple("abcde"), PAIRS).closure)
    found = log_probabilities(torch.nn.functional.logsigmoid(logits), closure).exp()
    assert found[0].tolist() == pytest.approx(marginal.tolist(), abs=1e-12)
    rounded = log_probabilities(exact_shares(logits), closure).exp()
    assert rounded[0].tolist() == pytest.approx(marginal.tolist(), abs=1e-6)


def test_gradients_of_the_products(stream):
    closure = sparse(Conditions(tuple("abcde"), PAIRS).closure)
    logits = torch.from_numpy(stream.normal(size=(3, 5))).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: log_probabilities(torch.nn.functional.logsigmoid(x), closure), logits
    )


def test_independent_terms_have_the_log_loss_of_scikit_learn(stream):
    root = np.array([(term, 5) for term in range(5)])
    logits = torch.from_numpy(stream.normal(size=(1, 5)))
    has = np.array([1.0, 0, 1, 0, 1, 1])
    expected = log_loss(has[:5], torch.sigmoid(logits)[0].numpy(), normalize=False)
    unknown = np.zeros(6)  # not annotated in this ontology: nothing is known
    assert losses(root, [has, unknown], logits).tolist() == pytest.approx([expected, 0])


@pytest.mark.parametrize("ontology", [True, False])
def test_the_start_is_the_frequency_where_the_conditions_hold(task, ontology):
    conditions = conditions_of(task.terms, ontology)
    proteins = task.proteins["protein"].tolist()
    found = log_odds(truth_of(task, conditions, proteins), conditions)
    rows = task.annotations[task.annotations["part"] == "train"]
    having = rows.groupby("protein")["term"].agg(set)
    above = dict(zip(task.terms["term"], task.terms["parents"].str.split(","), strict=True))
    name = dict(zip(task.terms["term"], task.terms["ontology"], strict=True))
    in_ontology = {o: set(rows.loc[rows["ontology"] == o, "protein"]) for o in set(name.values())}
    for term, value in zip(conditions.terms, found, strict=True):
        asked = [
            p for p, held in having.items()
            if (set(above[term]) <= held if ontology else p in in_ontology[name[term]])
        ]  # fmt: skip
        positive = sum(term in having[p] for p in asked)
        expected = np.log((positive + 1) / (len(asked) - positive + 1))
        assert value == pytest.approx(expected)


def with_or_without_tryptophan(stream, length):
    letters = list("ACDEFGHIKL") + ["W"] * (20 if stream.random() < 0.5 else 0)
    return "".join(stream.choice(letters, length))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A task whose proteins with tryptophan have one term more, and networks trained on it."""
    folder = tmp_path_factory.mktemp("terms")
    stream = np.random.default_rng(4)
    task = annotated_task(stream, folder, sequence=with_or_without_tryptophan)
    ontology = read_obo(folder / "o.obo")
    marked = task.terms.loc[task.terms["predicted"] & (task.terms["ontology"] == "mfo"), "term"]
    marked = next(iter(marked))  # the deepest one: children come first
    rows = task.annotations[task.annotations["direct"] & (task.annotations["term"] != marked)]
    named = task.proteins.set_index("protein")["sequence"]
    part = rows.drop_duplicates("protein").set_index("protein")["part"]
    extra = [(p, marked, "mfo", part[p], False) for p, s in named.items() if "W" in s]
    columns = ["protein", "term", "ontology", "part", "negative"]
    rows = pd.concat([rows[columns], pd.DataFrame(extra, columns=columns)]).drop_duplicates()
    task = make_task(ontology, rows, named.to_dict(), 2)
    for name, inside in (("with", True), ("without", False)):
        settings = SETTINGS.model_copy(update={"ontology": inside})
        train_terms(settings, None, task, folder / "state", folder / name, 1, name)
    return task, marked, folder


@pytest.mark.parametrize("name", ["with", "without"])
def test_a_network_learns_which_sequences_have_a_term(trained, name):
    task, marked, folder = trained
    calls = read_table("calls", folder / name / "calls.parquet")
    assert set(calls["protein"]) == set(task.held_out)
    scores = calls[calls["label"] == marked].set_index("protein")["score"]
    named = task.proteins.set_index("protein")["sequence"]
    score = pd.Series({p: scores.get(p, 0.0) for p in task.held_out})
    has = score.index.map(lambda p: "W" in named[p])
    assert score[has].min() > score[~has].max()


def test_with_the_ontology_inside_no_parent_is_below_its_child(trained):
    task, _, folder = trained
    calls = read_table("calls", folder / "with" / "calls.parquet")
    table = calls.pivot(index="protein", columns="label", values="score").fillna(0.0)
    pairs = [(c, p) for c, p in graph_of(task).edges if c in table]
    assert pairs
    for child, parent in pairs:
        assert (table[parent] >= table[child]).all()
    for question in questions(task.terms, task.annotations):
        scores = matrix(read_calls(folder / "with" / "calls.parquet"), question)
        for threshold in (0.05, *np.unique(scores.data)[::50]):
            found = recovery(scores, ancestors_of(question.graph), threshold)
            assert found.terms == 0 or found.share == found.complete == 1


@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_neither_is_it_for_extreme_logits(task, stream, scale):
    conditions = conditions_of(task.terms, True)
    logits = torch.from_numpy(scale * stream.normal(size=(50, len(conditions.terms)))).float()
    scores = log_probabilities(exact_shares(logits), sparse(conditions.closure)).exp()
    child, parent = conditions.pairs[conditions.pairs[:, 1] < len(conditions.terms)].T
    assert (scores[:, parent] >= scores[:, child]).all()


def test_a_network_is_read_back_and_says_the_same(trained):
    task, _, folder = trained
    model, settings = load(folder / "with" / "weights.safetensors", torch.device("cpu"))
    conditions = conditions_of(task.terms, True)
    held_out = task.proteins[task.proteins["protein"].isin(task.held_out)]
    pieces = predict_terms(
        model, settings, sparse(conditions.closure), conditions.terms, held_out, "with"
    )
    key = ["protein", "label"]
    again = pd.concat(pieces).sort_values(key)
    written = read_table("calls", folder / "with" / "calls.parquet").sort_values(key)
    assert again["score"].tolist() == written["score"].tolist()


def test_a_classifier_begins_with_the_log_odds():
    torch.manual_seed(0)
    network = NetworkSettings(layers=1, width=8, heads=2, feed_forward=8)
    settings = SETTINGS.model_copy(update={"encoder": None})
    odds = torch.tensor([-3.0, 2.0])
    model = TermClassifier(network, odds, settings).eval()
    torch.nn.init.zeros_(model.head.project.weight)
    tokens = collate([np.full(4, 7)], np.array([0])).tokens
    assert model(tokens)[0].tolist() == [-3.0, 2.0]


def test_nearest_are_those_of_a_loop(stream):
    vectors, training = stream.normal(size=(7, 5)), stream.normal(size=(40, 5))
    queries, targets = [f"q{i}" for i in range(6)] + ["t3"], [f"t{i}" for i in range(40)]
    found = nearest(queries, vectors, targets, training)
    centre = training.mean(0)
    for name, vector in zip(queries, vectors, strict=True):
        cosine = {
            t: (vector - centre) @ (w - centre)
            / np.linalg.norm(vector - centre) / np.linalg.norm(w - centre)
            for t, w in zip(targets, training, strict=True) if t != name
        }  # fmt: skip
        expected = sorted((t for t in cosine if cosine[t] > 0), key=lambda t: -cosine[t])[:20]
        mine = found[found["query"] == name]
        assert mine["target"].tolist() == expected
        assert mine["bits"].tolist() == pytest.approx([cosine[t] for t in expected], abs=1e-5)


def random_calls(stream, task, path, method, silent=()):
    proteins = [p for p in task.held_out if p not in silent]
    count = 20 * len(proteins)
    pairs = {(p, t) for p, t in zip(stream.choice(proteins, count),
                                    stream.choice(task.terms["term"].to_numpy(), count),
                                    strict=True)}  # fmt: skip
    rows = sorted(pairs)
    calls = term_calls([p for p, _ in rows], [t for _, t in rows],
                       stream.uniform(0.05, 1, len(rows)).round(3), method, "r")  # fmt: skip
    write_table(calls, "calls", path)
    return read_calls(path), calls


def test_a_combination_is_the_weighted_mean_of_those_that_speak(task, stream, tmp_path):
    silent = task.held_out[::3]
    one, first = random_calls(stream, task, tmp_path / "a", "a")
    two, second = random_calls(stream, task, tmp_path / "b", "b", silent)
    for question in questions(task.terms, task.annotations):
        found = combine([matrix(one, question), matrix(two, question)], (0.3, 0.7)).toarray()
        tables = [
            c[c["label"].isin(question.graph.terms)].set_index(["protein", "label"])["score"]
            for c in (first, second)
        ]
        for p, protein in enumerate(question.proteins):
            says = [protein in t.index.get_level_values(0) for t in tables]
            weights = np.array([0.3, 0.7]) * says
            for t, term in enumerate(question.graph.terms):
                expected = sum(
                    w * t_.get((protein, term), 0.0) for w, t_ in zip(weights, tables, strict=True)
                ) / max(weights.sum(), 1e-9)  # fmt: skip
                assert found[p, t] == pytest.approx(expected)


def test_weights_are_the_best_on_dev_and_the_test_part_is_called(task, stream, tmp_path):
    members = [random_calls(stream, task, tmp_path / name, name)[0] for name in "abc"]
    asked = questions(task.terms, task.annotations, "dev")
    fits = [fit(members, question) for question in asked]
    settings = EvaluationSettings(bootstrap=100)
    for found, question in zip(fits, asked, strict=True):
        reached = []
        for weights in product(range(11), repeat=3):
            if sum(weights) == 10:
                share = tuple(w / 10 for w in weights)
                even = [term_combination.Fit(question.name, share, 0, (), 0)]
                calls = predict(members, even, [question], "r")
                write_table(calls, "calls", tmp_path / "c")
                reached.append(
                    evaluate(read_calls(tmp_path / "c"), question, settings, 1).row["fmax"]
                )
        assert found.fmax == pytest.approx(max(reached), abs=1e-12)
        assert sum(found.weights) == pytest.approx(1) and found.fmax >= max(found.alone)
    calls = predict(members, fits, questions(task.terms, task.annotations), "r")
    rows = task.annotations
    assert set(calls["protein"]) <= set(rows.loc[rows["part"] == "test", "protein"])
    assert set(calls["method"]) == {NETWORK_AND_VOTE} and calls["score"].between(0.01, 1).all()


def test_recovery_is_that_of_a_loop_over_networkx(task, stream, tmp_path):
    calls, table = random_calls(stream, task, tmp_path / "c", "m")
    graph = networkx.DiGraph()
    roots = set(task.terms.loc[task.terms["parents"] == "", "term"])
    for term, parents in zip(task.terms["term"], task.terms["parents"], strict=True):
        graph.add_edges_from((term, p) for p in parents.split(",") if p)
    for question in questions(task.terms, task.annotations):
        ancestors = ancestors_of(question.graph)
        for threshold in (0.2, 0.9):
            said = table[
                (table["score"] >= threshold)
                & table["protein"].isin(question.proteins)
                & table["label"].isin(question.graph.terms)
            ].groupby("protein")["label"].agg(set)  # fmt: skip
            shares = []
            for labels in said:
                for term in labels:
                    due = networkx.descendants(graph, term) - roots if term in graph else set()
                    if due:
                        shares.append(len(due & labels) / len(due))
            found = recovery(matrix(calls, question), ancestors, threshold)
            assert found.terms == len(shares)
            assert found.share == pytest.approx(np.mean(shares))
            assert found.complete == pytest.approx(np.mean(np.array(shares) == 1))


def test_table_7_says_what_the_ontology_costs():
    rows = [
        ["MFO", f"network, {m}", r, 0.2, 9, share, share, 97.07]
        for m, r, share in (("ontology built in", "a", 100.0), ("independent terms", "b", 61.5))
    ]
    rows += [[name, rows[0][1], "a", 0.9, 0, np.nan, np.nan, 81.8] for name in ("MFO", "CCO")]
    fmax = pd.DataFrame(
        [("mfo", "network, ontology built in", "a", 0.41), ("mfo", "naive", "n", 0.3),
         ("mfo", "network, independent terms", "b", 0.4)],
        columns=["ontology", "method", "run", "fmax"],
    )  # fmt: skip
    item = describe(pd.DataFrame(rows, columns=COLUMNS), fmax)
    assert item.text[0].endswith(
        "61.50 % (network, independent terms). No network calls a term at 0.9 in MFO, CCO."
    )
    assert item.text[-1].endswith("MFO 0.410 (ontology built in), 0.400 (independent terms).")
