"""Chains as domains: against loops over all chains and all sets of segments, and as a whole."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import mutate, random_sequence
from pfamformer.config import TaggerSettings
from pfamformer.evaluation.localisation import match
from pfamformer.methods import chain_tagging
from pfamformer.methods.decoding import decode
from pfamformer.methods.family_halves import AlignedFamily, halves
from pfamformer.methods.segments import segment_posteriors, separate, states_of
from pfamformer.methods.tagging import calls, load_tagger
from pfamformer.model.chain import NEVER, best_chains
from pfamformer.model.chain_places import chain_ends
from pfamformer.model.chain_tagger import reversed_residues
from pfamformer.model.classifier import residue_mask
from pfamformer.model.ungapped import CUT, STRIDE
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import collate
from pfamformer.training.tagging import train_tagger

COSTS = torch.tensor([1.5, 3.0, 2.0])
SETTINGS = TaggerSettings(
    kind="tagger", encoder={"kind": "chain"}, epochs=1, learning_rate=1e-3, tokens_per_batch=4096,
    slices=200, precision="float32",
)  # fmt: skip


def all_chains(response, kernel, near, far, costs):
    """Score, first position, last position, first and last window of every chain."""
    places, length = response.shape
    for count in range(1, places + 1):
        for chosen in itertools.combinations(range(places), count):
            for at in itertools.product(range(length), repeat=count):
                total = sum(response[p, i] for p, i in zip(chosen, at, strict=True))
                for (p, i), (q, j) in itertools.pairwise(zip(chosen, at, strict=True)):
                    left_out = q - p - 1
                    shift = j - i - kernel * (left_out + 1)
                    price = 0 if shift == 0 else costs[0] if abs(shift) <= near else costs[1]
                    total -= costs[2] * left_out + price
                    if not -near <= shift <= far:
                        total = -np.inf
                yield total, at[0], at[-1], chosen[0], chosen[-1]


def test_ends_are_those_of_the_best_of_all_chains(stream):
    kernel, near, far = 2, 1, 3
    for _ in range(5):
        response = stream.normal(size=(3, 7)) * 3
        places = [torch.tensor(row)[None] for row in response]
        found = chain_ends(places, kernel, near, far, COSTS)
        by_end = {}
        for chain in all_chains(response, kernel, near, far, COSTS.numpy()):
            if chain[2] not in by_end or chain[0] > by_end[chain[2]][0]:
                by_end[chain[2]] = chain
        for end, (score, start, _, first, last) in by_end.items():
            assert found.score[0, end].item() == pytest.approx(score, abs=1e-4)
            said = (found.start[0, end], found.first[0, end], found.last[0, end])
            assert tuple(int(x) for x in said) == (start, first, last)
        whole = best_chains([p[None] for p in places], kernel, near, far, COSTS)
        assert found.score.max().item() == pytest.approx(whole.item(), abs=1e-4)


def test_pairs_with_fewer_windows_end_where_they_do_alone(stream):
    response = torch.tensor(stream.normal(size=(4, 3, 30)) * 3)
    alone = [chain_ends([row[None] for row in response[:n, i]], 3, 2, 5, COSTS)
             for i, n in enumerate((4, 4, 2))]  # fmt: skip
    together = chain_ends([response[p, : (3 if p < 2 else 2)] for p in range(4)], 3, 2, 5, COSTS)
    for i, one in enumerate(alone):
        for mine, its in zip(one, together, strict=True):
            assert torch.equal(mine[0], its[i])


def test_chains_that_touch_the_same_residues_compete():
    score = np.array([0.0, 5, 6, 1, 9, 3, 0])
    start = np.array([0, 0, 1, 2, 3, 2, 6])
    first, last = np.arange(7), np.arange(7) + 1
    found = separate(score, start, first, last, 2.0)
    assert [(f.start, f.end, f.score) for f in found] == [(3, 4, 9.0), (1, 2, 6.0)]
    assert (found[0].first, found[0].last) == (4, 5)


def sets_of(starts, ends):
    """Every set of segments of which no two share more than a quarter of both."""
    cut = ((ends - starts + 1) / 8).astype(int)
    low, high = starts + cut, ends - cut
    for size in range(len(starts) + 1):
        for chosen in itertools.combinations(range(len(starts)), size):
            if all(
                high[a] < low[b] or high[b] < low[a] for a, b in itertools.combinations(chosen, 2)
            ):
                yield chosen


def test_posteriors_are_those_of_all_sets_of_segments(stream):
    for _ in range(10):
        starts = stream.integers(0, 60, 8)
        ends = starts + stream.integers(3, 30, 8)
        odds = stream.normal(size=8) * 2
        weights = {s: np.exp(odds[list(s)].sum()) for s in sets_of(starts, ends)}
        expected = [
            sum(w for s, w in weights.items() if i in s) / sum(weights.values()) for i in range(8)
        ]
        assert segment_posteriors(starts, ends, odds) == pytest.approx(expected, abs=1e-9)
    nothing = np.empty(0, dtype=int)
    assert segment_posteriors(nothing, nothing, np.empty(0)).shape == (0,)


def test_states_add_up_and_decode_to_the_likely_segments():
    starts, ends = np.array([2, 20, 22]), np.array([15, 30, 33])
    found = [(starts, ends, np.array([0, 0, 1]), np.array([0.9, 0.8, 0.1]))]
    states = states_of(found, np.array([40]), 2)
    total = states.outside + sum(x.sum(-1) for x in states[1:])
    assert total == pytest.approx(np.ones((1, 40)))
    (domains,) = decode(states, np.array([40]))
    assert [(d.start, d.end, d.family) for d in domains] == [(2, 15, 0), (20, 30, 0)]
    assert domains[0].score == pytest.approx(0.9)


def test_reversed_proteins_keep_their_place_in_the_batch():
    batch = collate([encode("ACDEF"), encode("WYK")], np.arange(2))
    found = reversed_residues(batch.tokens)
    assert torch.equal(found, collate([encode("FEDCA"), encode("KYW")], np.arange(2)).tokens)
    assert torch.equal(residue_mask(found), residue_mask(batch.tokens))


def test_halves_are_unlike_each_other_and_keep_proteins_whole(stream):
    first, second = random_sequence(stream, 50), random_sequence(stream, 50)
    rows = [mutate(stream, parent, 0.2) for parent in (first, second) for _ in range(6)]
    names = [f"P{i}" for i in range(12)]
    half = halves(AlignedFamily("F", [*names, "P0"], [*rows, mutate(stream, first, 0.2)]))
    assert len({half[name] for name in names[:6]}) == 1
    assert len({half[name] for name in names[6:]}) == 1
    assert half["P0"] != half["P11"]
    assert halves(AlignedFamily("F", names[:3], rows[:3])) == {}


def data_set(stream):
    """Proteins with one or two domains of three families, related at 50 %; some without any."""
    ancestors = {f: random_sequence(stream, n) for f, n in (("A", 70), ("B", 50), ("C", 90))}
    rows, domains, aligned = [], [], {f: ([], []) for f in ancestors}
    for i in range(120):
        part = "train" if i < 90 else ("dev", "test")[i % 2]
        text, places = random_sequence(stream, int(stream.integers(20, 60))), []
        for family in stream.choice(list(ancestors), int(stream.integers(0, 3))):
            domain = mutate(stream, ancestors[family], 0.5)
            places.append((len(text) + 1, len(text) + len(domain), str(family)))
            text += domain + random_sequence(stream, int(stream.integers(10, 40)))
            if part == "train":
                aligned[family][0].append(f"P{i}")
                aligned[family][1].append(domain)
        name = f"P{i}/1-{len(text)}"
        rows.append((name, f"P{i}", 1, len(text), i, part, "protein", text))
        domains += [(name, f"P{i}", *place) for place in places]
    columns = ["id", "protein", "start", "end", "component", "part", "kind", "sequence"]
    truth = pd.DataFrame(domains, columns=["id", "protein", "start", "end", "family"])
    families = [AlignedFamily(f, *its) for f, its in aligned.items()]
    return pd.DataFrame(rows, columns=columns), truth, families


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    table, domains, families = data_set(np.random.default_rng(7))
    output = tmp_path_factory.mktemp("tagger")
    for name in ("one", "two"):
        (output / name).mkdir()
        train_tagger(
            SETTINGS, None, table, domains, output / "state", output / name, 1, "chain", families
        )
    return table, domains, output


def test_domains_are_found_on_proteins_that_nothing_was_learnt_from(trained):
    table, domains, output = trained
    found = pd.read_parquet(output / "one/calls.parquet")
    held_out = set(table.loc[table["part"] != "train", "protein"])
    assert set(found["protein"]) <= held_out
    truth = domains[domains["protein"].isin(held_out)]
    scores = match(found, truth, 0.8).scores(0.5)
    assert scores["recall"] > 0.9 and scores["precision"] > 0.9
    metrics = pd.read_csv(output / "one/metrics.tsv", sep="\t")
    assert metrics["loss"].iloc[-1] < metrics["loss"].iloc[0]


def test_the_same_seed_gives_the_same_tagger(trained):
    _, _, output = trained
    for name in ("weights.safetensors", "calls.parquet"):
        assert (output / "one" / name).read_bytes() == (output / "two" / name).read_bytes()


def test_a_saved_tagger_calls_the_same_however_batches_are_made(trained):
    table, _, output = trained
    model, about = load_tagger(output / "one/weights.safetensors")
    rows = table[table["part"] != "train"].reset_index(drop=True)
    batches = [collate([encode(s)], np.array([i])) for i, s in enumerate(rows["sequence"])]
    found = calls(model, batches, rows, about["families"], None, "chain")
    written = pd.read_parquet(output / "one/calls.parquet")
    pd.testing.assert_frame_equal(
        found.drop(columns="score"), written.drop(columns="score"), check_dtype=False
    )
    assert found["score"].to_numpy() == pytest.approx(written["score"].to_numpy(), abs=1e-4)


def test_calls_on_random_proteins_are_few_and_weak(trained, stream):
    _, _, output = trained
    usual = pd.read_parquet(output / "one/calls.parquet")["score"].median()
    model, _ = load_tagger(output / "one/weights.safetensors")
    shuffled = [encode(random_sequence(stream, 200)) for _ in range(20)]
    found = list(chain_tagging.decoded(model, [collate(shuffled, np.arange(20))]))
    assert len(found) < 5 and all(domain.score < usual for _, domain, _ in found)


def test_diagonals_are_those_of_a_loop_over_residues(trained, stream):
    model, _ = load_tagger(trained[2] / "one/weights.safetensors")
    found = model.ungapped
    letters = [stream.integers(0, 21, length) for length in (1, 37, 40, 200)]
    best = found.best(letters)
    for family in range(len(model.rank)):
        first, end = found.starts[family] + STRIDE, found.starts[family + 1]
        profile = 2 * model.encoder.filters.weight[model.encoder.table[family]]
        profile = profile[: model.encoder.windows[family]].permute(1, 0, 2).flatten(1).detach()
        profile = np.clip(np.rint(profile.numpy()), -15, 15)
        assert np.array_equal(found.scores[:-1, first:end], profile)
        for row, sequence in enumerate(letters):
            diagonal, highest = np.zeros(end - first + 1), 0
            for letter in sequence:
                score = profile[letter] if letter < len(profile) else 0
                diagonal[1:] = np.maximum(diagonal[:-1] + score, 0)
                highest = max(highest, diagonal.max())
            # Beyond 30 bits sums are cut: they stay at the top.
            assert best[row, family] == highest or min(best[row, family], highest) >= CUT


def test_a_shortlist_keeps_the_families_that_are_there(trained):
    table, _, output = trained
    model, _ = load_tagger(output / "one/weights.safetensors")
    assert model.shortlist == 64
    rows = table[table["part"] != "train"].reset_index(drop=True)
    batch = collate([encode(s) for s in rows["sequence"]], np.arange(len(rows)))
    with torch.inference_mode():
        best = model.best(batch.inputs)
        assert torch.equal(model.best_listed(batch.inputs), best)
        classes = best.topk(2).indices
        assert torch.equal(model.few(batch.inputs, classes), best.gather(1, classes))
        model.shortlist = 2
        listed = model.best_listed(batch.inputs)
    scored = listed > NEVER
    assert torch.equal(scored.sum(1), torch.full((len(rows),), 2))
    assert torch.equal(listed[scored], best[scored])
    # The family that is left out is the one of the least chain, where one stands apart.
    middle, least = best.topk(3).values[:, 1:].T
    clear = middle - least > 20
    assert clear.sum() > 5 and not scored.gather(1, best.argmin(1)[:, None])[clear].any()


def test_families_too_small_to_teach_leave_a_tagger_that_calls_next_to_nothing(tmp_path):
    table, domains, families = data_set(np.random.default_rng(8))
    few = [AlignedFamily(f.family, f.proteins[:1], f.rows[:1]) for f in families]
    train_tagger(SETTINGS, None, table, domains, tmp_path / "state", tmp_path, 1, "chain", few)
    found = pd.read_parquet(tmp_path / "calls.parquet")
    assert (found["score"] < 0.9).all()
    assert (tmp_path / "metrics.tsv").exists()
