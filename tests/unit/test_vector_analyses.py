"""Probe, separation of families and embedding arithmetic, against scikit-learn and planted data."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier

from pfamformer.analysis.encoders import encoders_of
from pfamformer.analysis.networks import Snapshot
from pfamformer.analysis.orthologues import (
    arithmetic,
    read_orthologues,
    serine_proteases,
    trials,
)
from pfamformer.analysis.probe import (
    STRENGTH,
    divisions,
    hidden_states,
    labelled,
    one_hot,
    probe,
    right_predictions,
)
from pfamformer.analysis.secondary import secondary_structure
from pfamformer.analysis.separation import choose, separation
from pfamformer.analysis.vectors import composition, mean_vectors
from pfamformer.config import NetworkSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.alphabet import STANDARD, encode
from pfamformer.training.batches import InMemory
from pfamformer.training.state import save_weights

CPU = torch.device("cpu")


@pytest.fixture
def snapshot(tmp_path):
    torch.manual_seed(4)
    network = NetworkSettings(layers=2, width=16, heads=2, feed_forward=32)
    save_weights(
        tmp_path / "w.safetensors", MaskedLanguageModel(network), {"network": network.model_dump()}
    )
    return Snapshot(0, tmp_path / "w.safetensors")


def letters(stream, length):
    return "".join(stream.choice(list(STANDARD), length))


def atom(serial, residue, chain, number, code=" "):
    return (
        f"ATOM  {serial:5d}  CA  {residue} {chain}{number:4d}{code}   "
        f"{3.8 * serial:8.3f}{0:8.3f}{0:8.3f}  1.00 20.00           C"
    )


def test_states_come_from_helix_and_sheet_records(tmp_path):
    names = ["ALA", "GLY", "SER", "LEU", "LYS", "VAL", "TRP", "CYS"]
    # Residue 12 is followed by 12A: an insertion code inside a helix.
    numbers = [
        (10, " "),
        (11, " "),
        (12, " "),
        (12, "A"),
        (13, " "),
        (14, " "),
        (15, " "),
        (16, " "),
    ]
    lines = [
        "HELIX    1   1 GLY A   11  LYS A   13  1                                   4",
        "SHEET    1   A 2 TRP A  15  CYS A  16  0",
        *(atom(i, n, "A", *place) for i, (n, place) in enumerate(zip(names, numbers, strict=True))),
        "END",
    ]
    (tmp_path / "1ABC.pdb").write_text("\n".join(lines) + "\n")
    (row,) = secondary_structure([tmp_path / "1ABC.pdb"], 5).to_dict("records")
    assert row["id"] == "1ABC_A" and row["sequence"] == "AGSLKVWC"
    assert row["label"] == "CHHHHCEE"
    assert secondary_structure([tmp_path / "1ABC.pdb"], 9).empty


def task(stream, parts):
    """Chains whose state follows from the residue: half of the alphabet is helix."""
    rows = []
    for i, part in enumerate(parts):
        sequence = letters(stream, 60)
        label = "".join("H" if STANDARD.index(x) < 10 else "E" for x in sequence)
        rows.append((f"c{i}", sequence, "-" + label[1:], np.nan, part))
    return pd.DataFrame(rows, columns=["id", "sequence", "label", "value", "part"])


def test_the_probe_is_scikit_learns_on_the_hidden_states(stream, snapshot):
    data = labelled(task(stream, ["train"] * 3 + ["test"]), 10, 100)
    assert len(data.state) == 4 * 59
    layers = hidden_states(snapshot, data, CPU)
    encoder = snapshot.load().encoder
    expected = []
    for tokens in data.tokens:
        with torch.inference_mode():
            states = list(encoder.hidden_states(torch.tensor([[0, *tokens, 2]])))
        expected.append(states[2][0, 2:-1].numpy())
    np.testing.assert_allclose(layers[2], np.concatenate(expected), atol=1e-5)
    ((fitted, judged),) = divisions(data)
    assert (data.chain[judged] == 3).all() and (data.chain[fitted] < 3).all()
    right, chain = right_predictions(layers[2], data, 1)
    x = (layers[2] - layers[2][fitted].mean(0)) / (layers[2][fitted].std(0) + 1e-6)
    reference = LogisticRegression(C=STRENGTH, max_iter=200).fit(x[fitted], data.state[fitted])
    np.testing.assert_array_equal(right, reference.predict(x[judged]) == data.state[judged])
    assert set(chain) == {3}


def test_what_follows_from_the_residue_needs_no_network(stream, snapshot):
    data = labelled(task(stream, ["test"] * 4), 10, 100)
    assert len(list(divisions(data))) == 4
    right, _ = right_predictions(one_hot(data), data, 1)
    assert right.mean() > 0.95
    table = probe(
        [("untrained", snapshot)], data, draws=100, confidence=0.95, seed=1, device=CPU
    )  # fmt: skip
    assert table["network"].tolist() == ["residue alone", "most frequent state"] + ["untrained"] * 3
    assert table.loc[0, "accuracy"] == pytest.approx(right.mean())
    assert table.loc[1, "accuracy"] < 0.7


def test_mean_vectors_are_means_over_residues(stream, snapshot):
    encoder = snapshot.load().encoder
    arrays = [encode(letters(stream, n)) for n in (9, 30, 5, 17)]
    found = mean_vectors(encoder, InMemory(arrays), budget=60, max_length=20)
    for array, vector in zip(arrays, found, strict=True):
        with torch.inference_mode():
            x_BLD = encoder(torch.tensor([[0, *array[:20], 2]]))
        np.testing.assert_allclose(vector, x_BLD[0, 1:-1].mean(0), atol=1e-5)
    shares = composition(InMemory([encode("AAGC")]))
    assert sorted(shares[0])[-3:] == [0.25, 0.25, 0.5]


def test_the_compared_encoders_are_equally_wide(snapshot):
    tokens = torch.tensor([[0, 5, 6, 7, 2], [0, 5, 2, 1, 1]])
    with torch.inference_mode():
        widths = {encoder(tokens).shape for encoder in encoders_of([snapshot, snapshot], 1)}
    assert widths == {(2, 5, 16)}


def families(stream):
    rows = []
    for family in range(6):
        for member in range(9):
            part = "test" if member < 2 else "train"
            rows.append((f"{family}/{member}", f"F{family}", part, 10 * family + member))
    table = pd.DataFrame(rows, columns=["id", "family", "part", "component"])
    domains = table[["id", "family"]].assign(sequence=[letters(stream, 30) for _ in rows])
    return domains, table.drop(columns="family")


def test_separation_is_that_of_scikit_learn(stream):
    domains, split = families(stream)
    chosen = choose(domains, split, 5, 1)
    sizes = chosen.groupby("part")["family"].value_counts()
    assert (sizes["test"] == 2).all() and (sizes["train"] == 5).all()
    x = stream.normal(size=(len(chosen), 8)) + 2.5 * np.eye(6, 8)[
        chosen["family"].str[1:].astype(int)
    ]  # fmt: skip
    table = separation({"x": x}, chosen, draws=200, confidence=0.95, seed=1)
    train = (chosen["part"] == "train").to_numpy()
    centred = x - x[train].mean(0)
    reference = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    reference.fit(centred[train], chosen["family"][train])
    expected = reference.score(centred[~train], chosen["family"][~train])
    assert 0.2 < expected < 1 and table.loc[0, "accuracy"] == pytest.approx(expected)
    assert table.loc[0, "silhouette"] == pytest.approx(
        silhouette_score(centred[train], chosen["family"][train], metric="cosine")
    )
    assert table.loc[0, "accuracy_low"] < expected < table.loc[0, "accuracy_high"]


def proteins():
    return pd.DataFrame(
        [(f"k{k}", f"s{s}", "A" * (5 + k + 10 * s)) for k in range(4) for s in range(6)],
        columns=["kind", "species", "sequence"],
    )


def test_planted_steps_arrive_and_random_vectors_do_not(stream):
    table = proteins()
    kind, species = (
        np.eye(n)[table[c].str[1:].astype(int)] for c, n in (("kind", 4), ("species", 6))
    )
    additive = np.concatenate([kind, species], axis=1)
    found = arithmetic(
        {"additive": additive, "random": stream.normal(size=(24, 10))}, table,
        draws=100, confidence=0.95, seed=1,
    ).set_index(["encoder", "step", "how"])  # fmt: skip
    assert found.loc[("additive", "between kinds", "mean step"), "hits_1"] == 1
    assert found.loc[("additive", "between species", "mean step"), "hits_1"] == 1
    assert found.loc[("random", "between kinds", "mean step"), "hits_1"] < 0.3
    assert found.loc[("additive", "between kinds", "mean step"), "trials"] == 4 * 3 * 6


def test_ranks_agree_with_a_loop(stream):
    table, u = proteins(), stream.normal(size=(24, 5))
    found = trials(u, table["kind"].to_numpy(), table["species"].to_numpy())
    row = found[(found["how"] == "mean step") & (found["source"] == 2) & (found["target"] == 14)]
    # Species 2 of kinds 0 and 2: the step is the mean over the other five species.
    steps = [u[12 + s] - u[s] for s in range(6) if s != 2]
    point = u[2] + np.mean(steps, axis=0)
    order = sorted((i for i in range(24) if i != 2), key=lambda i: np.sum((u[i] - point) ** 2))
    assert row["rank"].tolist() == [order.index(14) + 1]


def test_proteases_are_one_of_each_kind_and_species():
    alignment = ">1\nAC-D\n-EF\n>2\nACDEG\n>3\nGG\n>4\nCC\n>5\nEE\n"
    annotation = (
        "Seq_ID,species,prot_specificity\n1,Homo sapiens,trypsin\n2,homo sapiens,trypsin\n"
        "3,Mus musculus,ELSE\n4,synthetic construct,trypsin\n5,Mus musculus,trypsin\n"
    )
    found = serine_proteases(alignment, annotation)
    assert found.to_numpy().tolist() == [
        ["trypsin", "Homo sapiens", "ACDEF"], ["trypsin", "Mus musculus", "EE"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [("kind\tspecies\na\tb\n", "no column sequence"),
     ("kind\tspecies\tsequence\na\tb\tAC\na\tb\tAD\n", "a of b: comes twice")],
)  # fmt: skip
def test_tables_of_orthologues_are_checked(tmp_path, text, problem):
    (tmp_path / "o.tsv").write_text(text)
    with pytest.raises(InputError, match=problem):
        read_orthologues(tmp_path / "o.tsv")
