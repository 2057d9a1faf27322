"""The mutation scan against single calls of the network, and conservation against SciPy."""

import html
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy

from conftest import random_sequence
from pfamformer.analysis.mutations import agreement, choose, conservation, scan
from pfamformer.config import FinetuneSettings, NetworkSettings
from pfamformer.model.classifier import Classifier
from pfamformer.report.figures import save_svg
from pfamformer.report.mutation_scan import describe, draw, hovers, make_table, top_share
from pfamformer.sequences.alphabet import STANDARD, encode
from pfamformer.training.batches import collate


def test_change_is_the_divergence_of_each_mutant_alone(stream):
    settings = FinetuneSettings(
        kind="finetune", start_from="x", head="classic", epochs=1, tokens_per_batch=512,
        learning_rate=1e-3, precision="float32",
    )  # fmt: skip
    torch.manual_seed(2)
    model = Classifier(
        NetworkSettings(layers=1, width=16, heads=2, feed_forward=32), 3, settings
    ).eval()
    sequence = random_sequence(stream, 12)
    change = scan(model, settings, sequence)
    assert change.shape == (12, 20)

    def answer(text):
        return model(collate([encode(text)], np.arange(1)).tokens).softmax(-1)[0].detach().numpy()

    for place, letter in ((0, "W"), (7, "A"), (11, "K")):
        mutant = sequence[:place] + letter + sequence[place + 1 :]
        expected = entropy(answer(sequence), answer(mutant))
        assert change[place, STANDARD.index(letter)] == pytest.approx(expected, rel=1e-2, abs=1e-7)
    own = [change[i, STANDARD.index(letter)] for i, letter in enumerate(sequence)]
    assert own == pytest.approx([0] * 12, abs=1e-6)


def test_conservation_is_the_relative_entropy_of_each_column():
    rows = ["AC-DW", "AC-DW", "ACKEW", "AGK.W"]
    bits = conservation(rows, 2)
    letters = "".join(rows).replace("-", "").replace(".", "")
    background = [letters.count(letter) / len(letters) for letter in STANDARD]
    for column, found in enumerate(bits):
        texts = [row[column] for row in rows if row[column] not in "-."]
        share = [texts.count(letter) / len(texts) for letter in STANDARD]
        kept = [(p, q) for p, q in zip(share, background, strict=True) if q]
        assert found == pytest.approx(entropy(*zip(*kept, strict=True), base=2))
    assert len(conservation(rows, 0)) == 4  # its gap has no residue


def test_the_scanned_domain_was_told_right_and_is_of_the_largest_family():
    domains = pd.DataFrame(
        {"id": ["a", "b", "c", "d"], "sequence": ["A" * 40, "A" * 40, "A" * 10, "A" * 50]}
    )
    split = pd.DataFrame({"family": ["X", "Y", "Y"], "part": "train"})
    predictions = pd.DataFrame(
        {"id": list("abcd"), "truth": list("XYYY"), "predicted": list("XXYY"), "score": -0.1}
    )
    assert choose(predictions, split, domains) == "d"
    assert choose(predictions.iloc[:1], split, domains) == "a"
    assert choose(predictions.iloc[1:3], split, domains) == "c"  # right, though short
    assert choose(predictions.iloc[1:2], split, domains) == "b"
    assert choose(predictions.iloc[:0], split, domains) is None


def test_the_figure_shows_every_residue(stream):
    change = stream.random((12, 20))
    bits = change.mean(1) * 2
    table = make_table("ACDEFGHIKLMN", change, bits)
    figure = draw(table)
    assert figure.axes[0].images[0].get_array().shape == (20, 12)
    rho, p = agreement(change, bits)
    assert rho == pytest.approx(1) and p < 1e-6
    assert top_share(np.array([0, 1.0, 0, 0])) == 1.0


def test_every_cell_of_the_heat_map_says_what_it_shows(stream, tmp_path):
    change = stream.random((12, 20))
    table = make_table("ACDEFGHIKLMN", change, change.mean(1))
    figure = draw(table)
    save_svg(figure, tmp_path / "scan.svg", hovers(figure, table))
    shapes = re.findall(
        r'd="M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z"><title>([^<]+)',
        (tmp_path / "scan.svg").read_text(),
    )
    texts = [shape[-1] for shape in shapes]
    assert len(set(texts)) == 12 * 20
    assert f"C2W: {change[1, STANDARD.index('W')]:.2g} nats" in texts
    assert "A1: the domain's own residue" in [html.unescape(text) for text in texts]
    # Together the cells cover the panel, which the figure places in shares of its size, upwards.
    x, y, width, height = np.array([shape[:4] for shape in shapes], dtype=float).T
    box, (wide, high) = figure.axes[0].get_position(), 72 * figure.get_size_inches()
    assert x.min() == pytest.approx(box.x0 * wide, abs=0.2)
    assert (x + width).max() == pytest.approx(box.x1 * wide, abs=0.2)
    assert y.min() == pytest.approx((1 - box.y1) * high, abs=0.2)
    assert (y + height).max() == pytest.approx((1 - box.y0) * high, abs=0.2)


def test_a_scan_that_changes_nothing_is_no_finding(stream):
    bits = stream.random(12)
    change = np.outer(bits, np.ones(20))
    strong = describe("d", "F", "chain", 0.9, 1e-3, make_table("ACDEFGHIKLMN", change, bits))
    faint = describe("d", "F", "chain", 0.9, 1e-3, make_table("ACDEFGHIKLMN", change / 1e6, bits))
    assert strong.findings and not strong.shortfalls
    assert faint.shortfalls and not faint.findings
    assert "no single substitution changes this answer" in faint.text[0]
