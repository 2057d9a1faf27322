"""Tokens of several residues: learnt, read and refused."""

import itertools
import json
import sys

import pandas as pd
import pytest
import yaml
from safetensors import safe_open
from safetensors.torch import load_file

from conftest import ROOT, random_sequence
from pfamformer.config import resolve
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import TOKENS, encode
from pfamformer.sequences.byte_pairs import BytePairs, learn
from pfamformer.sequences.shards import write_index
from pfamformer.tables import read_table
from pfamformer.training.finetuning import finetune
from pfamformer.training.pretraining import pretrain
from pfamformer.training.starts import Trained
from token_shards import write_shard
from training_cases import NETWORK, finetuning, pretraining

pytest.importorskip("tokenizers")


def repetitive(stream, count):
    """Random sequences that all hold a motif."""
    ends = [(random_sequence(stream, 20), random_sequence(stream, 15)) for _ in range(count)]
    return [first + "GKSTLL" + last for first, last in ends]


def most_frequent_pairs(words, merges):
    """Sennrich et al. 2016, algorithm 1, by counting again for each merge."""
    words = [list(word) for word in words]
    found = []
    for _ in range(merges):
        counts = {}
        for word in words:
            for pair in itertools.pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        best = max(counts, key=counts.get)
        if list(counts.values()).count(counts[best]) > 1:
            break  # equal counts: the choice is free
        found.append(best)
        for number, word in enumerate(words):
            joined, place = [], 0
            while place < len(word):
                pair = tuple(word[place : place + 2])
                joined.append("".join(pair) if pair == best else word[place])
                place += 2 if pair == best else 1
            words[number] = joined
    return found


def test_merges_are_the_most_frequent_pairs(stream):
    words = repetitive(stream, 60)
    merge = learn([encode(word) for word in words], 3)
    expected = most_frequent_pairs(words, 3)
    assert expected and merge.merges[: len(expected)] == expected


def test_the_same_corpus_gives_the_same_tokens_and_all_residues_come_back(stream):
    rows = [encode(word) for word in repetitive(stream, 80)]
    merge, again = learn(rows, 30), learn(rows, 30)
    assert merge.merges == again.merges == BytePairs(json.loads(json.dumps(merge.merges))).merges
    for row in rows:
        tokens = merge(row)
        assert merge.letters(tokens) == "".join(TOKENS[t] for t in row)
        assert len(tokens) < len(row) and tokens.max() < merge.size == 33 + 30
    counts = merge.counts(rows)
    assert counts.sum() == sum(len(merge(row)) for row in rows)


@pytest.fixture
def corpus(tmp_path, stream):
    for part, count in (("train", 120), ("valid", 20)):
        folder = tmp_path / "corpus" / part
        write_index(folder, [write_shard(folder, "a", repetitive(stream, count))], {})
    return tmp_path / "corpus"


@pytest.mark.parametrize("objective", ["masked", "span", "autoregressive", "permutation"])
def test_pretraining_on_merged_tokens_learns(tmp_path, corpus, objective):
    network = NETWORK.model_copy(update={"merges": 20})
    settings = pretraining(
        network=network, objective=objective, steps=40, learning_rate=3e-3, log_every=10
    )
    pretrain(settings, corpus, tmp_path / "state", tmp_path / "out", threads=1)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    metrics = pd.read_csv(tmp_path / "out/metrics.tsv", sep="\t")
    losses = metrics["loss"][metrics["part"] == "valid"].tolist()
    assert losses[-1] < losses[0] - 0.1
    assert summary["context_free_loss"] <= summary["residue_entropy"] + 1e-9
    weights = load_file(tmp_path / "out/weights.safetensors")
    assert weights["encoder.embedding.weight"].shape == (33 + 20, 32)
    with safe_open(tmp_path / "out/weights.safetensors", "pt") as file:
        assert len(json.loads(file.metadata()["about"])["merges"]) == 20
    # Residues are counted, not tokens: all sequences have 41.
    assert metrics["tokens"].iloc[-1] % 41 == 0


def test_families_are_learnt_from_merged_tokens(tmp_path, corpus, stream):
    begun = pretraining(network=NETWORK.model_copy(update={"merges": 20}), steps=5)
    pretrain(begun, corpus, tmp_path / "state", tmp_path / "out", threads=1)
    start = Trained(begun, tmp_path / "out/weights.safetensors")
    # Families that differ in the letters at hand, 20 domains each; every fourth is a test domain.
    letters = {"PF1": "ACDEFGHIK", "PF2": "LMNPQRSTVWY"}
    domains = pd.DataFrame(
        {
            "id": f"{family}/{number}", "family": family, "clan": "",
            "sequence": "".join(stream.choice(list(letters[family]), 30)),
        }
        for family in letters for number in range(20)
    )  # fmt: skip
    part = ["test" if number % 4 == 0 else "train" for number in range(len(domains))]
    finetune(
        finetuning(epochs=10), start, domains, domains[["id"]].assign(part=part),
        tmp_path / "state_2", tmp_path / "fine", 1, "words", 2,
    )  # fmt: skip
    found = read_table("predictions", tmp_path / "fine/predictions.parquet")
    assert len(found) == 10 and (found["truth"] == found["predicted"]).all()
    with safe_open(tmp_path / "fine/weights.safetensors", "pt") as file:
        kept = json.loads(file.metadata()["about"])["merges"]
    assert kept == [list(pair) for pair in start.merge().merges]
    # Residues are counted, not tokens.
    read = pd.read_csv(tmp_path / "fine/metrics.tsv", sep="\t")["tokens"].iloc[-1]
    assert read == 10 * part.count("train") * 30


def test_too_small_a_corpus_and_a_missing_library_are_one_clear_message(stream, monkeypatch):
    rows = [encode("MKTAYIAK"), encode("GGSTLLVV")]
    with pytest.raises(InputError, match=r"500 pairs are wanted, \d+ occur .*\. Lower it"):
        learn(rows, 500)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"not installed\. pip install '\.\[bpe\]'"):
        learn(rows, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"analysis": {"runs": ["pairs"]}}, "analysis.runs: 'pairs' reads merged tokens"),
        (
            {"runs": {"classic": {"start_from": "pairs", "weights": "untrained"}}},
            "runs.classic.start_from: 'pairs' reads merged tokens",
        ),
        (
            {"runs": {"go_network": {"start_from": "pairs"}}},
            "runs.go_network.start_from: 'pairs' reads merged tokens",
        ),
        (
            {"runs": {"dropout": {"start_from": "pairs"}}, "evaluation": {"embed": ["dropout"]}},
            "evaluation.embed: 'dropout' reads merged tokens",
        ),
        (
            {"runs": {"pairs": {"objective": "replaced"}}},
            "runs.pairs.network.merges: 'replaced', 'distillation'",
        ),
        (
            {"runs": {"little": {"kind": "pretrain", "objective": "distillation",
                                 "teacher": "pairs"}}},
            "runs.little.teacher: 'pairs' reads merged tokens",
        ),
    ],
)  # fmt: skip
def test_what_needs_residues_says_so(change, message):
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    raw["runs"]["pairs"] = {"kind": "pretrain", "network": {"merges": 50}}
    assert resolve(raw).runs["pairs"].network.merges == 50
    for section in ("analysis", "evaluation"):
        raw.setdefault(section, {}).update(change.get(section, {}))
    for name, settings in change.get("runs", {}).items():
        raw["runs"].setdefault(name, {}).update(settings)
    with pytest.raises(InputError) as error:
        resolve(raw)
    assert message in str(error.value)
