import json

import networkx
import numpy as np
import pandas as pd
import pytest

from conftest import mutate, random_sequence, run_script
from pfamformer.families.leakage import certify
from pfamformer.families.similarity import (
    align_within_families,
    mmseqs_binary,
    over_threshold,
    search,
)
from pfamformer.families.splits import (
    clustered_split,
    components,
    nearest_train_identity,
    random_split,
)
from pfamformer.tables import write_table

LIMITS = {"min_identity": 0.25, "min_coverage": 0.8}


@pytest.fixture(scope="module")
def domains():
    """Six families of four subfamilies each: alike within a subfamily, unrelated between them."""
    stream = np.random.default_rng(7)
    rows = []
    for family in range(6):
        for subfamily in range(4):
            ancestor = random_sequence(stream, 120)
            for member in range((8, 3, 2, 1)[subfamily]):
                name = f"PF{family:05d}.1/P{subfamily}{member}.1/1-120"
                rows.append((name, f"PF{family:05d}.1", mutate(stream, ancestor, 0.4)))
    table = pd.DataFrame(rows, columns=["id", "family", "sequence"])
    return table.assign(protein="P.1", start=1, end=120, clan="")


@pytest.fixture(scope="module")
def pairs(domains):
    return align_within_families(domains, threads=2)


@pytest.fixture(scope="module")
def split(domains, pairs):
    edges = pairs[over_threshold(pairs, **LIMITS)]
    table = clustered_split(domains, edges, dev=0.1, test=0.25, seed=3)
    lengths = dict(zip(domains["id"], domains["sequence"].str.len(), strict=True))
    return table.assign(nearest_train_identity=nearest_train_identity(table, pairs, lengths))


def test_components_agree_with_networkx(stream):
    ids = pd.Series([f"d{i}" for i in range(200)])
    edges = pd.DataFrame(stream.integers(0, 200, (150, 2)), columns=["query", "target"])
    edges = edges.map(lambda i: f"d{i}")
    graph = networkx.Graph()
    graph.add_nodes_from(ids)
    graph.add_edges_from(edges.itertuples(index=False))
    expected = {frozenset(c) for c in networkx.connected_components(graph)}
    found = ids.groupby(components(ids, edges)).agg(frozenset)
    assert set(found) == expected


def test_every_same_family_pair_is_aligned(domains, pairs):
    expected = sum(n * (n - 1) for n in domains["family"].value_counts())
    found = pairs[pairs["query"] != pairs["target"]]
    # A pair without any positive-scoring local alignment may be missing, no other.
    assert 0.99 * expected <= len(found) <= expected
    family = domains.set_index("id")["family"]
    assert (pairs["query"].map(family) == pairs["target"].map(family)).all()


def test_exhaustive_alignment_agrees_with_mmseqs_search(domains, pairs):
    family = domains.set_index("id")["family"]
    hits = search(domains, domains, threads=2)
    hits = hits[hits["query"].map(family) == hits["target"].map(family)]
    both = pairs.merge(hits, on=["query", "target"], suffixes=("", "_search"))
    both = both[both["query"] != both["target"]]
    assert len(both) > 0.99 * len(pairs)
    assert (both["identity"] == both["identity_search"]).mean() > 0.999


def test_components_stay_whole_and_the_largest_trains(split):
    assert (split.groupby("component")["part"].nunique() == 1).all()
    for _, rows in split.groupby("family"):
        sizes = rows["component"].value_counts()
        assert set(rows.loc[rows["component"] == sizes.index[0], "part"]) == {"train"}
        assert (rows["part"] == "test").sum() <= 0.25 * len(rows)
        assert (rows["part"] == "dev").sum() <= 0.1 * len(rows)
    assert (split["part"] == "test").sum() > 0
    assert split.loc[split["part"] == "train", "nearest_train_identity"].isna().all()


def test_split_depends_on_the_seed_alone(domains, pairs):
    edges = pairs[over_threshold(pairs, **LIMITS)]
    make = lambda seed: clustered_split(domains, edges, dev=0.1, test=0.25, seed=seed)["part"]  # noqa: E731
    assert make(3).equals(make(3))
    assert not make(3).equals(make(4))
    draw = lambda seed: random_split(domains, dev=0.1, test=0.25, seed=seed)["part"]  # noqa: E731
    assert draw(3).equals(draw(3))
    assert not draw(3).equals(draw(4))


def test_certificate_is_zero_for_the_split_and_finds_a_planted_leak(domains, split, tmp_path):
    options = {**LIMITS, "prefilter": "none", "threads": 2}
    clean = certify(domains, split, **options)
    assert clean["leaking_pairs"] == 0
    assert sum(clean["nearest_identity"]["rows"]) == (split["part"] != "train").sum()

    # Move one member of a training component into the test part by hand.
    sizes = split.groupby("component")["id"].transform("size")
    victim = split[(split["part"] == "train") & (sizes > 3)]["id"].iloc[0]
    planted = split.assign(part=split["part"].where(split["id"] != victim, "test"))
    found = certify(domains, planted, **options)
    assert found["leaking_pairs"] > 0
    assert {e["query"] for e in found["examples"]} == {victim}

    domains = domains[["id", "protein", "start", "end", "family", "clan", "sequence"]]
    write_table(domains, "domains", tmp_path / "domains.parquet")
    write_table(planted, "split", tmp_path / "split.parquet")
    arguments = [
        "--domains", tmp_path / "domains.parquet", "--split", tmp_path / "split.parquet",
        "--min-identity", 0.25, "--min-coverage", 0.8, "--output", tmp_path / "leakage.json",
    ]  # fmt: skip
    ended = run_script("certify", *arguments)
    assert ended.returncode == 1
    assert "same-family pairs" in ended.stderr and victim in ended.stderr
    assert not (tmp_path / "leakage.json").exists()
    assert run_script("certify", *arguments, "--may-leak").returncode == 0
    assert json.loads((tmp_path / "leakage.json").read_text())["leaking_pairs"] > 0


def test_a_random_split_leaks(domains):
    split = random_split(domains, dev=0.1, test=0.25, seed=1)
    found = certify(domains, split, **LIMITS, prefilter="none", threads=2)
    assert found["leaking_rows"] > 0.5 * (split["part"] != "train").sum()


def test_mmseqs_is_the_pinned_release():
    assert mmseqs_binary()
