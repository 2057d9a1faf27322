"""Folds from composition: spectra and a kernel machine, beside scikit-learn."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from conftest import mutate, random_sequence
from pfamformer.methods.composition import SPECTRA, fit, gaussian, solve, spectrum, vectors
from pfamformer.sequences.alphabet import STANDARD


@pytest.mark.parametrize("size", [1, 2, 3])
def test_contiguous_spectra_are_counts_of_scikit_learn(size, stream):
    sequence = random_sequence(stream, 200)
    counter = CountVectorizer(analyzer="char", ngram_range=(size, size), lowercase=False)
    counts = counter.fit_transform([sequence]).toarray()[0]
    found = spectrum(sequence, STANDARD, tuple(range(size)))
    for word, count in zip(counter.get_feature_names_out(), counts, strict=True):
        place = 0
        for letter in word:
            place = place * 21 + STANDARD.index(letter)
        assert found[place] ** 2 == pytest.approx(count / (200 - size + 1), rel=1e-5)
    assert np.square(found).sum() == pytest.approx(1, rel=1e-5)


def test_spaced_words_and_groups_are_those_of_a_loop(stream):
    sequence = random_sequence(stream, 60) + "XU"
    groups, places = ("AG", "DE", "VIL"), (0, 1, 3, 4, 7)
    letter = {c: i for i, group in enumerate(groups) for c in group}
    seen = {}
    for start in range(len(sequence) - 7):
        word = tuple(letter.get(sequence[start + place], 3) for place in places)
        seen[word] = seen.get(word, 0) + 1
    found = spectrum(sequence, groups, places)
    assert np.count_nonzero(found) == len(seen)
    for word, count in seen.items():
        at = int(np.ravel_multi_index(word, (4,) * 5))
        assert found[at] ** 2 == pytest.approx(count / (len(sequence) - 7), rel=1e-5)
    assert not spectrum("ACD", groups, places).any()


def test_the_machine_is_kernel_ridge_of_scikit_learn(stream):
    X, new = stream.normal(size=(40, 7)), stream.normal(size=(9, 7))
    target = np.eye(4)[stream.integers(4, size=40)]
    assert gaussian(X, new, 3.0) == pytest.approx(rbf_kernel(X, new, gamma=1 / 3))
    peer = KernelRidge(kernel="rbf", gamma=1 / 3, alpha=0.2).fit(X, target)
    ours = gaussian(new, X, 3.0) @ solve(X, target, 3.0, 0.2)
    assert ours == pytest.approx(peer.predict(new))


def test_relatives_are_recognised_and_probabilities_sum_to_one(stream):
    ancestors = {name: random_sequence(stream, 90) for name in ("a.1", "b.2", "c.3")}
    made = {
        part: [(mutate(stream, ancestor, 0.4), name)
               for name, ancestor in ancestors.items() for _ in range(count)]
        for part, count in (("train", 8), ("dev", 4), ("test", 6))
    }  # fmt: skip
    found = {part: vectors([s for s, _ in rows]) for part, rows in made.items()}
    assert found["train"].shape[1] == 1 + sum((len(g) + 1) ** len(p) for g, p in SPECTRA)
    labels = {part: [name for _, name in rows] for part, rows in made.items()}
    # A fold that dev knows and training does not is never right, and no error.
    labels["dev"][0] = "z.9"
    machine = fit(found["train"], labels["train"], found["dev"], labels["dev"])
    said = machine.log_probabilities(found["test"])
    assert np.exp(said).sum(1) == pytest.approx(np.ones(18), abs=1e-5)
    assert [machine.classes[i] for i in said.argmax(1)] == labels["test"]
