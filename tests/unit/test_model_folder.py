"""The model folder: made from results, read elsewhere, and its networks on a stream of proteins."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.isotonic import IsotonicRegression

from conftest import random_sequence, run_script
from pfamformer.annotation import building
from pfamformer.annotation.model import FILES, FORMAT, Model
from pfamformer.annotation.networks import TaggerReader, windows
from pfamformer.annotation.query import Record
from pfamformer.annotation.scan import blocks
from pfamformer.config import FinetuneSettings, NetworkSettings, TaggerSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.probability_curve import LEAST, fit_curve
from pfamformer.methods.decoding import Grammar
from pfamformer.methods.network import log_probabilities
from pfamformer.methods.tagging import calls as tagger_calls
from pfamformer.model.classifier import Classifier
from pfamformer.model.tagger import Tagger
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import TableWriter, from_rows, read_table
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.state import save_weights

NETWORK = NetworkSettings(layers=1, width=16, heads=2, feed_forward=32)
COMMON = {"epochs": 1, "tokens_per_batch": 512, "max_length": 96, "learning_rate": 0.1,
          "start_from": "small", "precision": "float32"}  # fmt: skip
FAMILIES = ["PF00001.1", "PF00002.1", "PF00003.1"]


def test_a_curve_is_the_isotonic_fit_of_scikit_learn(stream):
    scores = stream.random(4000).round(2)
    right = stream.random(4000) < scores**2
    found = fit_curve(scores, right)(scores)
    expected = IsotonicRegression().fit(scores, right).predict(scores)
    # Two pseudo-counts a step move a share by less than a hundredth with these numbers.
    assert np.abs(found - expected).mean() < 0.01
    assert (np.diff(found[np.argsort(scores)]) >= 0).all() and 0 < found.min() < found.max() < 1
    assert abs(found.mean() - right.mean()) < 0.01
    assert fit_curve(scores[: LEAST - 1], right[: LEAST - 1]) is None
    assert fit_curve(np.ones(98), np.arange(98) < 49)(np.array([1.0])) == pytest.approx(0.5)


def test_windows_cover_a_protein_once():
    for length in (1, 50, 100, 101, 149, 150, 333):
        found = list(windows(length, 100))
        assert found[0][1] == 0 and found[-1][2] == length
        assert all(a[2] == b[1] for a, b in pairwise(found))
        for first, low, high in found:
            assert first <= low < high <= first + min(length, 100)


def tagger_file(path):
    settings = TaggerSettings(kind="tagger", **COMMON)
    torch.manual_seed(3)
    model = Tagger(NETWORK, len(FAMILIES), settings)
    # Random weights hardly call anything: louder ones do.
    for part in (model.kinds, model.families):
        part.weight.data *= 60
    grammar = Grammar(0.2, 0.1, 0.1)
    save_weights(path, model, {"network": NETWORK.model_dump(), "run": settings.model_dump(),
                               "families": FAMILIES, "grammar": vars(grammar)})  # fmt: skip
    return model.eval(), settings, grammar


def classifier_file(path):
    settings = FinetuneSettings(kind="finetune", head="pool_mean", **COMMON)
    torch.manual_seed(4)
    model = Classifier(NETWORK, len(FAMILIES), settings).eval()
    save_weights(path, model, {"network": NETWORK.model_dump(), "run": settings.model_dump(),
                               "families": FAMILIES})  # fmt: skip
    return model, settings


@pytest.fixture
def folder(tmp_path):
    """A model with a family network and a tagger."""
    (tmp_path / "families.tsv").write_text(
        "family\tname\tdescription\tclan\tgathering\tdomains\n"
        + "".join(f"{family}\tN\tD\t\t\t9\n" for family in FAMILIES)
    )
    tagger_file(tmp_path / "tagger.safetensors")
    classifier_file(tmp_path / "classifier.safetensors")
    about = {
        "format": FORMAT, "project": "p", "title": "t", "seed": 1, "families": 3,
        "training_domains": 9, "dev_domains": 1, "test_domains": 1,
        "classifier": {"run": "c", "temperature": 2.0, "dev_accuracy": 1, "test_domains": 1,
                       "test_accuracy": 1, "test_calibration_error": 0.1},
        "tagger": {"run": "g", "longest": 60, "curve": None, "dev_calls": 0, "test_calls": 0,
                   "test_precision": None, "test_recall": None},
    }  # fmt: skip
    parts = {part: tmp_path / FILES[part] for part in ("families", "tagger", "classifier")}
    building.save(tmp_path / "model", about, parts, {})
    return tmp_path / "model"


def test_a_folder_that_is_not_whole_is_refused(folder, tmp_path):
    assert Model.read(folder).path("term_network") is None
    assert "Tagger (run `g`): calls nothing" in (folder / "README.md").read_text()
    (folder / "tagger.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="not the file that belongs to this model"):
        Model.read(folder)
    with pytest.raises(InputError, match="no such file"):
        Model.read(tmp_path / "nothing")
    (folder / "model.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(InputError, match="not a model of format"):
        Model.read(folder)


def test_tagger_reads_a_stream_as_it_reads_a_table(folder, stream, tmp_path):
    records = [Record(f"p{i}", "", random_sequence(stream, 40 + i)) for i in range(20)]
    found = TaggerReader(Model.read(folder), torch.device("cpu"))(records)
    model, settings, grammar = tagger_file(tmp_path / "again.safetensors")
    table = pd.DataFrame(
        {"id": [r.name for r in records], "protein": [r.name for r in records], "start": 1,
         "end": [len(r.sequence) for r in records], "kind": "protein",
         "sequence": [r.sequence for r in records]}
    )  # fmt: skip
    rows = InMemory([encode(r.sequence) for r in records])
    expected = tagger_calls(
        model, read_in_order(rows, settings.tokens_per_batch, 100), table, FAMILIES, grammar, "g"
    )
    assert len(expected) > 20
    ours = [(r.name, c.start, c.end, c.family) for r, cs in zip(records, found, strict=True)
            for c in cs]  # fmt: skip
    assert sorted(ours) == sorted(
        zip(expected["protein"], expected["start"], expected["end"], expected["label"], strict=True)
    )


def test_networks_answer_in_the_order_of_the_query(folder, stream, tmp_path):
    lengths = [30, 200, 61, 90]
    sequences = [random_sequence(stream, length) for length in lengths]
    (tmp_path / "q.fasta").write_text("".join(f">p{i}\n{s}\n" for i, s in enumerate(sequences)))
    hits = [("p1", 11, 80, FAMILIES[0], 50.0, "profile HMM", "h", 1e-9, 1, 70, 70),
            ("p3", 5, 60, FAMILIES[1], 50.0, "profile HMM", "h", 1e-9, 1, 56, 70)]  # fmt: skip
    with TableWriter("hits", tmp_path / "hits.parquet") as out:
        out.write(from_rows("hits", hits))
    files = {name: tmp_path / f"{name}.parquet" for name in ("tagger", "classifier", "terms")}
    done = run_script(
        "read_query", "--query", tmp_path / "q.fasta", "--model", folder, "--hits",
        tmp_path / "hits.parquet", "--least-probability", 0.2,
        *(word for name, path in files.items() for word in (f"--{name}", path)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = read_table("calls", files["classifier"])
    tagged = read_table("calls", files["tagger"])
    places = {(r.protein, r.start, r.end) for r in tagged.itertuples()}
    places |= {(h[0], h[1], h[2]) for h in hits}
    assert set(zip(said["protein"], said["start"], said["end"], strict=True)) == places
    assert list(said["protein"]) == sorted(said["protein"]) and (tagged["end"] <= 200).all()
    model, settings = classifier_file(tmp_path / "again.safetensors")
    row = said[(said["protein"] == "p1") & (said["start"] == 11)].iloc[0]
    logits = log_probabilities(model, settings, [sequences[1][10:80]])[0] / 2.0
    chances = np.exp(logits) / np.exp(logits).sum()
    assert row["label"] == FAMILIES[chances.argmax()]
    assert row["score"] == pytest.approx(chances.max(), abs=1e-5)
    assert len(read_table("calls", files["terms"])) == 0


def test_memory_does_not_grow_with_the_query(folder, stream):
    read = TaggerReader(Model.read(folder), torch.device("cpu"))

    def peak(proteins):
        records = (Record(f"p{i}", "", random_sequence(stream, 50)) for i in range(proteins))
        tracemalloc.reset_peak()
        for block in blocks(records, 2_000):
            read(block)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        peak(40)
        few, many = peak(80), peak(480)
    finally:
        tracemalloc.stop()
    assert many < 1.5 * few


def test_terms_are_judged_where_a_protein_is_annotated():
    annotations = pd.DataFrame(
        [("a", "GO:1", "mfo", "dev", True, False), ("a", "GO:2", "mfo", "dev", True, True),
         ("b", "GO:1", "mfo", "test", True, False), ("b", "GO:3", "bpo", "dev", True, False)],
        columns=["protein", "term", "ontology", "part", "direct", "negative"],
    )  # fmt: skip
    calls = pd.DataFrame(
        [("a", "GO:1"), ("a", "GO:2"), ("a", "GO:3"), ("b", "GO:1"), ("b", "GO:3")],
        columns=["protein", "label"],
    ).assign(score=1.0)
    dev = building.term_truth(calls, annotations, "dev")
    assert set(zip(dev["protein"], dev["label"], dev["right"], strict=True)) == {
        ("a", "GO:1", True), ("a", "GO:2", False), ("b", "GO:3", True)
    }  # fmt: skip
    found = building.judge_family_terms(calls, annotations)
    assert found["probability"] == {"bpo": pytest.approx(2 / 3), "mfo": pytest.approx(0.5)}


def test_the_best_network_on_the_development_part_is_chosen(stream):
    truth = pd.Series({f"d{i}": FAMILIES[i % 3] for i in range(60)})

    def table(share):
        rows = []
        for number, (name, family) in enumerate(truth.items()):
            part = "dev" if number < 30 else "test"
            wrong = [f for f in FAMILIES if f != family]
            right = (number % 30) < share * 30
            order = [family, *wrong] if right else [wrong[0], family, wrong[1]]
            rows += [(name, part, f, float(np.log(p)), "r")
                     for f, p in zip(order, (0.7, 0.2, 0.1), strict=True)]  # fmt: skip
        return pd.DataFrame(rows, columns=["id", "part", "family", "score", "run"])

    found = building.choose_classifier({"bad": table(0.4), "good": table(0.9)}, truth)
    assert found["run"] == "good" and found["dev_accuracy"] == pytest.approx(0.9)
    assert found["test_accuracy"] == pytest.approx(0.9) and found["temperature"] < 1
