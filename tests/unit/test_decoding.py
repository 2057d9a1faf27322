import itertools

import numpy as np
import pytest

from pfamformer.methods.decoding import Domain, Grammar, States, decode, posteriors

GRAMMAR = Grammar(enter=0.2, leave=0.3, adjoin=0.25)


def random_chances(stream, proteins, residues, families):
    raw = stream.dirichlet(np.full(1 + 3 * families, 0.5), (proteins, residues))
    first, middle, last = (raw[..., 1 + i :: 3] for i in range(3))
    return States(raw[..., 0], first, middle, last)


def legal_paths(length, families):
    """All state paths, with states outside = 0 and (kind, family); a reference by enumeration."""
    states = [(0, -1), *((kind, f) for kind in (1, 2, 3) for f in range(families))]
    for path in itertools.product(states, repeat=length):
        if path[0][0] not in (0, 1) or path[-1][0] not in (0, 3):
            continue
        if all(chance_of_step(a, b, families) > 0 for a, b in itertools.pairwise(path)):
            yield path


def chance_of_step(a, b, families):
    kinds = (a[0], b[0])
    same = a[1] == b[1]
    g = GRAMMAR
    table = {
        (0, 0): 1 - g.enter, (0, 1): g.enter / families,
        (3, 0): 1 - g.adjoin, (3, 1): g.adjoin / families,
        (1, 2): same, (2, 2): same * (1 - g.leave), (2, 3): same * g.leave,
    }  # fmt: skip
    return float(table.get(kinds, 0.0))


def value(states, position, state):
    kind, family = state
    return states[kind][0, position] if kind == 0 else states[kind][0, position, family]


@pytest.mark.parametrize("seed", range(4))
def test_posteriors_and_path_equal_enumeration(seed):
    length, families = 5, 2
    chances = random_chances(np.random.default_rng(seed), 1, length, families)
    paths = list(legal_paths(length, families))
    weights = []
    for path in paths:
        weight = 1 - GRAMMAR.enter if path[0][0] == 0 else GRAMMAR.enter / families
        for position, state in enumerate(path):
            weight *= max(value(chances, position, state), 1e-6)
        for a, b in itertools.pairwise(path):
            weight *= chance_of_step(a, b, families)
        weights.append(weight)
    weights = np.array(weights) / sum(weights)
    found = posteriors(chances, np.array([length]), GRAMMAR)
    for position in range(length):
        for state in [(0, -1), *itertools.product((1, 2, 3), range(families))]:
            mass = sum(w for w, p in zip(weights, paths, strict=True) if p[position] == state)
            assert value(found, position, state) == pytest.approx(mass, abs=1e-9)
    gains = [sum(value(found, i, s) for i, s in enumerate(path)) for path in paths]
    best = paths[int(np.argmax(gains))]
    expected = [
        (i, next(j for j in range(i, length) if best[j][0] == 3), state[1])
        for i, state in enumerate(best)
        if state[0] == 1
    ]
    assert [d[:3] for d in decode(found, np.array([length]))[0]] == expected


def test_a_batch_gives_what_its_proteins_give_alone():
    stream = np.random.default_rng(7)
    chances, lengths = random_chances(stream, 3, 12, 3), np.array([12, 5, 9])
    together = posteriors(chances, lengths, GRAMMAR)
    domains = decode(together, lengths)
    for i, length in enumerate(lengths):
        alone = States(*(values[i : i + 1, :length] for values in chances))
        found = posteriors(alone, lengths[i : i + 1], GRAMMAR)
        for a, b in zip(together, found, strict=True):
            np.testing.assert_allclose(a[i, :length], b[0], atol=1e-12)
        assert np.allclose(decode(found, lengths[i : i + 1])[0], domains[i])


def test_neighbouring_domains_of_one_family_stay_apart():
    kinds = [0, 1, 2, 2, 3, 1, 2, 3, 0]
    values = np.full((4, 1, 9, 1), 0.02)
    for position, kind in enumerate(kinds):
        values[kind, 0, position, 0] = 0.94
    chances = States(values[0, :, :, 0], *values[1:])
    found = decode(posteriors(chances, np.array([9]), GRAMMAR), np.array([9]))[0]
    assert [d[:3] for d in found] == [(1, 4, 0), (5, 7, 0)]
    assert all(isinstance(d, Domain) and 0.9 < d.score <= 1 for d in found)


def test_the_grammar_counts_annotations():
    starts, ends = np.array([10, 20, 60]), np.array([19, 39, 69])
    grammar = Grammar.from_domains(starts, ends, residues=100)
    assert grammar.enter == pytest.approx((2 + 1) / (60 + 2))
    assert grammar.leave == pytest.approx(3 / (40 - 6))
    assert grammar.adjoin == pytest.approx((1 + 1) / (3 + 2))
