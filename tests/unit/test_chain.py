"""Chained motifs: against a loop over all chains, against HMMER, against themselves."""

import itertools

import numpy as np
import pyhmmer
import pytest
import torch
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextMSA, TextSequence
from pyhmmer.plan7 import Background, Builder
from scipy.stats import norm

from conftest import mutate, random_sequence
from pfamformer.config import FinetuneSettings
from pfamformer.methods.priors import blur, chain_windows, draw, lend, read_profiles
from pfamformer.model.chain import best_chains
from pfamformer.model.classifier import Classifier
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory, collate
from pfamformer.training.hard import hard_classes

# Kept: a profile holds no reference to its alphabet.
AMINO = Alphabet.amino()
FAMILIES = ["A", "B", "C", "D"]


def settings(**changes):
    given = {
        "kind": "finetune", "head": "chain", "encoder": {"kind": "chain"}, "epochs": 1,
        "tokens_per_batch": 512, "learning_rate": 1e-2, "precision": "float32",
    }  # fmt: skip
    return FinetuneSettings.model_validate(given | changes)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    stream = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("chain") / "profiles.hmm"
    rows = {}
    with open(path, "wb") as out:
        for name, length in zip(FAMILIES, (23, 60, 41, 90), strict=True):
            ancestor = random_sequence(stream, length)
            rows[name] = [mutate(stream, ancestor, 0.5) for _ in range(15)]
            alignment = TextMSA(
                name=name,
                sequences=[TextSequence(name=str(i), sequence=s) for i, s in enumerate(rows[name])],
            )
            hmm, _, _ = Builder(AMINO, seed=1).build_msa(
                alignment.digitize(AMINO), Background(AMINO)
            )
            hmm.write(out)
    return path, rows


def network(profiles, **changes):
    path, rows = profiles
    made = settings(**changes)
    model = Classifier(
        None, len(FAMILIES), made, windows=chain_windows(made, path, FAMILIES)
    ).eval()
    tokens = np.concatenate([encode(s) for family in FAMILIES for s in rows[family]])
    return model, made, lend(model, made, path, FAMILIES, tokens)


def brute_force(response, kernel, near, far, costs):
    """The best chain among all: every set of places, every position of each."""
    places, length = response.shape
    best = -np.inf
    for count in range(1, places + 1):
        for chosen in itertools.combinations(range(places), count):
            for at in itertools.product(range(length), repeat=count):
                total = sum(response[p, i] for p, i in zip(chosen, at, strict=True))
                for (p, i), (q, j) in itertools.pairwise(zip(chosen, at, strict=True)):
                    left_out = q - p - 1
                    shift = j - i - kernel * (left_out + 1)
                    if shift == 0:
                        total -= costs[2] * left_out
                    elif -near <= shift <= near:
                        total -= costs[0] + costs[2] * left_out
                    elif near < shift <= far:
                        total -= costs[1] + costs[2] * left_out
                    else:
                        total = -np.inf
                best = max(best, total)
    return best


def test_the_best_chain_is_the_best_of_all_chains(stream):
    kernel, near, far, costs = 2, 1, 3, (0.4, 0.9, 0.6)
    for _ in range(5):
        # Places that a chain may leave out keep it from ending where a window would not fit.
        response = stream.normal(size=(3, 9))
        places = [torch.tensor(response[None, None, p]) for p in range(3)]
        found = best_chains(places, kernel, near, far, torch.tensor(costs))
        assert float(found) == pytest.approx(brute_force(response, kernel, near, far, costs), 1e-5)


def test_few_classes_score_as_among_all(profiles):
    model, *_ = network(profiles)
    tokens = collate([encode(s) for s in profiles[1]["B"][:3]], np.arange(3)).tokens
    classes = torch.tensor([[2, 0], [3, 1], [1, 2]])
    assert torch.allclose(model.few(tokens, classes), model(tokens).gather(1, classes), atol=1e-4)


def test_scores_do_not_depend_on_what_shares_the_batch(profiles):
    model, *_ = network(profiles)
    rows = [encode(profiles[1][f][0]) for f in ("A", "D")]
    together = model(collate(rows, np.arange(2)).tokens)
    for row, logits in zip(rows, together, strict=True):
        assert torch.allclose(model(collate([row], np.arange(1)).tokens)[0], logits, atol=1e-4)


@pytest.mark.parametrize("reach", [(1, 1), (3, 31), (5, 12)])
@pytest.mark.parametrize("kernel", [5, 6])
def test_compiled_scores_are_those_of_the_differentiable_form(profiles, stream, reach, kernel):
    near, far = reach
    model, *_ = network(
        profiles, encoder={"kind": "chain", "kernel": kernel, "near": near, "far": far}
    )
    sequences = [random_sequence(stream, int(n)) for n in (1, 4, 30, 200)]
    sequences += [s for f in FAMILIES for s in profiles[1][f][:2]] + ["MKXB" * 9 + "ZZUO"]
    tokens = collate([encode(s) for s in sequences], np.arange(len(sequences))).tokens
    expected = model(tokens)
    assert expected.requires_grad
    with torch.inference_mode():
        assert torch.allclose(model(tokens), expected, atol=1e-4)


def test_untrained_scores_follow_hmmer(profiles):
    model, *_ = network(profiles)
    hmms = read_profiles(profiles[0])
    sequences = [s for f in FAMILIES for s in draw(hmms[f], 25, np.random.default_rng(3)) if s]
    block = DigitalSequenceBlock(
        AMINO,
        [TextSequence(name=str(i), sequence=s).digitize(AMINO) for i, s in enumerate(sequences)],
    )
    logits = model(collate([encode(s) for s in sequences], np.arange(len(sequences))).tokens)
    ours, theirs, top = [], [], {}
    for hits in pyhmmer.hmmsearch(list(hmms.values()), block, cpus=1, bias_filter=False):
        for hit in hits.reported:
            row, family = int(hit.name), hits.query.name
            ours.append(logits[row, FAMILIES.index(family)].item())
            theirs.append(hit.score)
            top[row] = max(top.get(row, (-1e9, "")), (hit.score, family))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    agree = [FAMILIES[int(logits[row].argmax())] == family for row, (_, family) in top.items()]
    assert np.mean(agree) > 0.98


def test_hard_classes_hold_the_truth_first_and_none_twice(profiles, tmp_path):
    model, made, drawn = network(profiles, emitted=5, emitted_noise=0.5, compared=3)
    labels = torch.tensor([FAMILIES.index(family) for _, family in drawn])
    rows = InMemory([encode(s) for s, _ in drawn])
    found = hard_classes(model, rows, labels, made, tmp_path)
    assert found.shape == (20, 3)
    assert torch.equal(found[:, 0], labels)
    assert all(len(set(row)) == 3 for row in found.tolist())
    assert torch.equal(hard_classes(model, rows, labels, made, tmp_path), found)


def test_noise_replaces_up_to_a_share_of_residues():
    stream = np.random.default_rng(1)
    found = blur(["W" * 1000] * 200, 0.5, stream)
    changed = np.array([sum(letter != "W" for letter in s) / 1000 for s in found])
    # One in twenty random residues is the same as before.
    assert changed.max() < 0.5
    assert changed.mean() == pytest.approx(0.25 * 0.95, abs=0.03)


@pytest.mark.parametrize("wrong", [{"head": "motif"}, {"clan_weight": 0.1}])
def test_chains_need_their_head_and_learn_families_only(wrong):
    with pytest.raises(ValueError, match="chain"):
        settings(**wrong)


def test_lengths_speak_as_a_normal_distribution_of_their_logarithm(profiles):
    model, *_ = network(profiles)
    lengths = [np.array([20, 25, 22]), np.array([60, 60]), np.array([41]), np.array([80, 100])]
    model.head.expect_lengths(lengths)
    residues = torch.ones(1, 50, dtype=torch.bool)
    for label, found in enumerate(lengths):
        spread = np.hypot(np.log(found).std(), 0.2)
        expected = norm.logpdf(np.log(50), np.log(found).mean(), spread) + 0.5 * np.log(2 * np.pi)
        said = model.head._length(residues)[0, label].item()
        assert said == pytest.approx(max(expected, -6.0), abs=1e-4)
