import numpy as np
import pandas as pd
import pytest

from conftest import mutate, random_sequence
from pfamformer.methods.combination import Member, average, candidates_of, evidence, fit, weighted
from pfamformer.methods.embedding import class_means, per_family, per_instance
from pfamformer.methods.neighbours import all_scores, search_training, vote
from pfamformer.methods.new_families import known_and_new, recognise
from pfamformer.methods.outputs import best_of, keep_best, long_scores, predictions_from

IDS = pd.DataFrame({"id": [f"d{i}" for i in range(40)], "family": "A"})
TEST = IDS.assign(id="t" + IDS["id"])


def network(stream, name="n", families="ABCD", listed=4, sharpness=1.0):
    tables = []
    for part in ("dev", "test"):
        logits = stream.normal(0, sharpness, (40, len(families)))
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        rows = IDS if part == "dev" else TEST
        tables.append(long_scores(rows, logits, list(families), listed).assign(part=part))
    return Member(name, pd.concat(tables), "nats")


# --- what methods hand over ------------------------------------------------------------------


def test_the_best_score_wins_ties_go_by_name_and_silence_is_no_answer():
    rows = pd.DataFrame({"id": ["x", "y", "z"], "family": ["A", "B", "C"]})
    scores = pd.DataFrame(
        {"id": ["y", "y", "x", "x"], "family": ["D", "B", "A", "C"], "score": [2.0, 2.0, 1.0, 3.0]}
    )
    assert best_of(scores, rows)["family"].tolist() == ["C", "B", ""]
    table = predictions_from(scores, rows, "m", "r")
    assert table["predicted"].tolist() == ["C", "B", ""] and table["score"][2] == 0.0


def test_only_the_best_families_are_kept(stream):
    matrix = stream.random((40, 9))
    scores = long_scores(IDS, matrix, [f"F{i}" for i in range(9)], 9).sample(frac=1, random_state=1)
    kept = keep_best(scores, 3)
    expected = np.sort(matrix, axis=1)[:, ::-1][:, :3]
    found = kept.groupby("id")["score"].apply(list)[IDS["id"]]
    assert np.array(found.tolist()) == pytest.approx(expected)


# --- neighbours ------------------------------------------------------------------------------


@pytest.fixture
def families(stream):
    rows = []
    for family, count in (("A", 6), ("B", 9)):
        parent = random_sequence(stream, 120)
        rows += [(f"{family}{i}", family, mutate(stream, parent, 0.3)) for i in range(count)]
    table = pd.DataFrame(rows, columns=["id", "family", "sequence"])
    alien = pd.DataFrame(
        [("alien", "C", random_sequence(stream, 80))], columns=["id", "family", "sequence"]
    )
    return table.drop(index=[0, 6]), pd.concat([table.iloc[[0, 6]], alien], ignore_index=True)


def test_neighbours_find_the_family(families):
    training, queries = families
    found = all_scores(queries, training, threads=1)
    for name in ("mmseqs2", "mmseqs2_sensitive", "mmseqs2_vote"):
        assert best_of(found[name], queries)["family"].tolist()[:2] == ["A", "B"], name
    assert best_of(found["majority"], queries)["family"].tolist() == ["B"] * 3
    assert found["majority"]["score"][0] == pytest.approx(8 / 13)


def test_bits_agree_with_biopython(families):
    """Scores are Smith-Waterman with BLOSUM62 and gaps of 11 + 1·n, up to MMseqs2's corrections."""
    align = pytest.importorskip("Bio.Align")
    training, queries = families
    hits = search_training(queries, training, 7.5, threads=1)
    aligner = align.PairwiseAligner(
        mode="local", substitution_matrix=align.substitution_matrices.load("BLOSUM62"),
        open_gap_score=-12, extend_gap_score=-1,
    )  # fmt: skip
    best = hits.groupby("id")["score"].max()
    sequences = queries.set_index("id")["sequence"]
    for name in ("A0", "B0"):
        raw = max(aligner.score(sequences[name], s) for s in training["sequence"])
        # Karlin-Altschul: (λ·S − ln K) / ln 2 with λ = 0.267 and K = 0.041 for these gap costs.
        assert best[name] == pytest.approx((0.267 * raw - np.log(0.041)) / np.log(2), rel=0.1)


def test_the_vote_adds_bits_of_the_best_hits():
    hits = pd.DataFrame(
        {"id": "q", "family": list("ABBBA"), "score": [50.0, 30.0, 25.0, 20.0, 10.0]}
    )
    assert vote(hits, 3).set_index("family")["score"].to_dict() == {"A": 50.0, "B": 55.0}
    assert vote(hits, 1).set_index("family")["score"].to_dict() == {"A": 50.0}


# --- combinations ----------------------------------------------------------------------------


def test_ensembles_average_what_the_networks_say(stream):
    members = [network(stream, str(i)) for i in range(3)]
    tests = [m.scores[m.scores["part"] == "test"] for m in members]
    tables = [t.pivot(index="id", columns="family", values="score") for t in tests]
    for logarithmic in (False, True):
        stack = np.stack([t.to_numpy() for t in tables])
        expected = np.exp(stack.mean(0)) if logarithmic else np.exp(stack).mean(0)
        expected /= expected.sum(1, keepdims=True)
        found = average(members, "test", logarithmic)
        found = found.pivot(index="id", columns="family", values="score")
        assert np.exp(found.to_numpy()) == pytest.approx(expected)


def test_what_a_member_does_not_list_gets_what_is_left(stream):
    short, long = network(stream, "short", listed=2), network(stream, "long")
    candidates = candidates_of([short, long], "test")
    said = pd.Series(np.exp(evidence(short, candidates))).groupby(candidates["id"]).sum()
    assert said.to_numpy() == pytest.approx(np.ones(40))
    bits = Member("hmm", pd.DataFrame({"id": ["td0"], "family": ["A"], "score": [10.0],
                                       "part": ["test"]}), "bits")  # fmt: skip
    found = evidence(bits, candidates)
    assert found[0] == pytest.approx(10 * np.log(2)) and set(found[1:]) == {0.0}


def test_fitted_weights_agree_with_logistic_regression(stream):
    """With two families a conditional logit is a logistic regression on differences."""
    linear = pytest.importorskip("sklearn.linear_model")
    members = [network(stream, str(i), "AB", 2, sharpness=2.0) for i in range(2)]
    gap = np.stack(
        [
            m.scores[m.scores["part"] == "dev"].pivot(index="id", columns="family", values="score")
            .loc[IDS["id"]].pipe(lambda t: t["A"] - t["B"])
            for m in members
        ],
        axis=1,
    )  # fmt: skip
    is_a = stream.random(40) < 1 / (1 + np.exp(-(0.9 * gap[:, 0] + 0.4 * gap[:, 1])))
    truth = dict(zip(IDS["id"], np.where(is_a, "A", "B"), strict=True))
    found = fit(members, truth)
    reference = linear.LogisticRegression(C=1e6, fit_intercept=False).fit(gap, is_a)
    assert list(found.weights.values()) == pytest.approx(reference.coef_[0], abs=0.05)
    assert found.loss <= min(found.loss_alone.values()) + 1e-6
    scores = weighted(members, found.weights, "test")
    assert np.exp(scores["score"]).groupby(scores["id"]).sum().to_numpy() == pytest.approx(1.0)


def test_a_useless_member_gets_no_weight(stream):
    good, noise = network(stream, "good", sharpness=4.0), network(stream, "noise", sharpness=4.0)
    dev = good.scores[good.scores["part"] == "dev"]
    truth = best_of(dev, IDS)["family"].to_dict()
    weights = fit([good, noise], truth).weights
    assert weights["good"] > 1 > 0.2 > weights["noise"] >= 0


# --- embeddings ------------------------------------------------------------------------------


@pytest.fixture
def cloud(stream):
    centres = stream.normal(size=(4, 16))
    family = np.repeat(list("ABCD"), 30)
    vectors = centres[np.repeat(np.arange(4), 30)] + 1.2 * stream.normal(size=(120, 16))
    domains = pd.DataFrame({"id": [f"d{i}" for i in range(120)], "family": family})
    part = pd.Series(np.tile(["train", "train", "test"], 40))
    return vectors.astype(np.float16), domains, part


def test_neighbours_in_embedding_space_agree_with_scikit_learn(cloud):
    neighbours = pytest.importorskip("sklearn.neighbors")
    vectors, domains, part = cloud
    train, test = (part == "train").to_numpy(), (part == "test").to_numpy()
    queries, family = domains[test], domains["family"].to_numpy()
    scores = per_instance(queries, vectors[test], vectors[train], family[train], 4)
    knn = neighbours.KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    knn.fit(vectors[train].astype(float), family[train])
    expected = knn.predict(vectors[test].astype(float))
    assert best_of(scores, queries)["family"].tolist() == expected.tolist()
    distance, _ = knn.kneighbors(vectors[test].astype(float))
    found = best_of(scores, queries)["score"].to_numpy()
    assert found == pytest.approx(1 - distance[:, 0], abs=1e-4)
    means = per_family(queries, vectors[test], vectors[train], family[train], 4)
    names, centres = class_means(vectors[train], family[train])
    assert names == list("ABCD") and centres.shape == (4, 16)
    assert (best_of(means, queries)["family"].to_numpy() == queries["family"]).mean() > 0.8


def test_more_sequences_represent_a_new_family_better(cloud):
    vectors, domains, part = cloud
    table = recognise(vectors, domains, part, ["B", "D"], seed=1).set_index("shots")
    assert table.loc[1, "accuracy"] < table.loc[5, "accuracy"] <= table.loc[0, "accuracy"] + 5
    assert (table["domains"] == 20).all() and (table["families"] == 2).all()


def test_new_families_are_drawn_from_the_seed():
    names = pd.Series([f"F{i}" for i in range(10)])
    known, new = known_and_new(names, 0.3, 1)
    assert len(new) == 3 and sorted(known + new) == sorted(names)
    assert known_and_new(names, 0.3, 1) == (known, new) != known_and_new(names, 0.3, 2)
    assert known_and_new(names, 0.0, 1) == (sorted(names), [])
