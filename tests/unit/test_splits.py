import json

import networkx
import numpy as np
import pandas as pd
import pytest
from pyhmmer.easel import Alphabet, TextMSA, TextSequence

from conftest import mutate, random_sequence, run_script
from pfamformer.errors import InputError
from pfamformer.families import linkage, seed_identity
from pfamformer.families.leakage import certify
from pfamformer.families.linkage import all_pairs, link_by_search
from pfamformer.families.seed_identity import (
    GAP,
    identities,
    link_by_alignment,
    nearest_training_identity,
    seed_alignments,
    single_linkage,
)
from pfamformer.families.similarity import mmseqs_binary, over_threshold, search
from pfamformer.families.splits import (
    clustered_split,
    components,
    nearest_train_identity,
    random_split,
    summarise,
)
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.tables import write_table

LIMITS = {"min_identity": 0.25, "min_coverage": 0.8, "min_bits": 0}
SHARES = {"dev": 0.1, "test": 0.25}


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
                rows.append((name, f"PF{family:05d}.1", mutate(stream, ancestor, 0.55)))
    table = pd.DataFrame(rows, columns=["id", "family", "sequence"])
    return table.assign(protein="P.1", start=1, end=120, clan="")


@pytest.fixture(scope="module")
def hits(domains):
    """Every pair of the same family, as ``mmseqs search`` without prefilter aligns it."""
    found = search(domains["sequence"], domains["sequence"], threads=2)
    family = domains["family"].to_numpy()
    found = found[family[found["query"]] == family[found["target"]]]
    return found[found["query"] != found["target"]]


def linked(domains, **options):
    return link_by_search(
        domains, **LIMITS, **{"exhaustive_up_to": 10_000, "threads": 1, "seed": 3, **options}
    )


@pytest.fixture(scope="module")
def table(domains):
    return domains[["id", "family"]].assign(component=linked(domains).components)


@pytest.fixture(scope="module")
def split(domains, table):
    made = clustered_split(table, **SHARES, seed=3)
    return made.assign(nearest_train_identity=nearest_train_identity(domains, made["part"], 1))


def partition(labels):
    return set(pd.Series(range(len(labels))).groupby(np.asarray(labels)).agg(frozenset))


def connected(rows, edges):
    graph = networkx.Graph()
    graph.add_nodes_from(range(rows))
    graph.add_edges_from(edges)
    return {frozenset(c) for c in networkx.connected_components(graph)}


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


@pytest.mark.parametrize("chunk", [40, 1_000_000])
def test_linking_finds_the_components_of_all_pairs(domains, hits, monkeypatch, chunk):
    monkeypatch.setattr(linkage, "CHUNK", chunk)
    over = hits[over_threshold(hits, **LIMITS)]
    expected = connected(len(domains), zip(over["query"], over["target"], strict=True))
    found = linked(domains)
    assert partition(found.components) == expected
    assert 24 <= len(expected) < len(domains)
    assert found.all_pairs == all_pairs(domains["family"]) == 6 * 14 * 13
    assert found.alignments < 2 * found.all_pairs and found.beyond == []
    if chunk == 40:
        assert partition(linked(domains, seed=4).components) == expected


@pytest.mark.parametrize("min_bits", [40, 60])
def test_linking_by_significant_alignments_finds_the_components_of_all_pairs(
    domains, hits, min_bits
):
    limits = {**LIMITS, "min_bits": min_bits}
    over = hits[over_threshold(hits, **limits)]
    assert 0 < len(over) < over_threshold(hits, **LIMITS).sum() and over["bits"].min() >= min_bits
    expected = connected(len(domains), zip(over["query"], over["target"], strict=True))
    options = {"exhaustive_up_to": 10_000, "threads": 1, "seed": 3}
    found = link_by_search(domains, **limits, **options)
    assert partition(found.components) == expected
    assert len(expected) > len(partition(linked(domains).components))
    table = domains[["id", "family"]].assign(component=found.components)
    split = clustered_split(table, **SHARES, seed=3)
    how = {"prefilter": "family", "threads": 1}
    clean = certify(domains, split, **limits, **how)
    assert clean["leaking_pairs"] == 0 and clean["definition"]["min_bits"] == min_bits
    # The same split keeps no promise at any score.
    assert certify(domains, split, **LIMITS, **how)["leaking_pairs"] > 0


def test_a_short_domain_needs_a_bit_for_each_residue_only(domains):
    whole = "MKWVTFISLLFLFSSAYSRG"
    like = "MKWVTFISLLAAFSSAYSRG"  # 18 of 20 residues: more than 20 bits, less than 60
    sequences = [whole, like, *domains["sequence"][:2]]
    table = pd.DataFrame({"family": "F", "sequence": sequences}).assign(id=list("abcd"))
    limits = {**LIMITS, "min_bits": 60}
    pairs = search(sequences[:2], sequences[:2], threads=1)
    pairs = pairs[pairs["query"] != pairs["target"]]
    assert pairs["bits"].between(20, 59).all() and over_threshold(pairs, **limits).all()
    longer = pairs.assign(query_length=61, target_length=61)
    assert not over_threshold(longer, **limits).any()
    found = link_by_search(table, **limits, exhaustive_up_to=10, threads=1, seed=1)
    assert found.components[0] == found.components[1]


def test_large_families_are_linked_by_a_search_and_named(domains, hits):
    few = domains[:14]
    over = hits[over_threshold(hits, **LIMITS) & (hits["query"] < 14)]
    exact = connected(len(few), zip(over["query"], over["target"], strict=True))
    found = linked(few, exhaustive_up_to=5)
    assert found.beyond == ["PF00000.1"]
    # What a heuristic links is linked; it may miss a link, never make one.
    assert all(any(part <= whole for whole in exact) for part in partition(found.components))
    assert len(partition(found.components)) <= len(exact) + 2


def gapped(stream, rows, columns):
    """Rows like those of a seed alignment: alike in parts, with gaps, lower case and X."""
    ancestors = [random_sequence(stream, columns) for _ in range(3)]
    texts = []
    for i in range(rows):
        letters = np.array(list(mutate(stream, ancestors[i % 3], stream.uniform(0.2, 0.9))))
        letters[stream.random(columns) < 0.25] = stream.choice(list("-."))
        letters[stream.random(columns) < 0.02] = "X"
        texts.append("".join(letters))
    return texts


def coded(texts):
    lookup = {letter: i for i, letter in enumerate(RESIDUES)}
    return np.array([[lookup.get(c.upper(), GAP) for c in t] for t in texts], dtype=np.uint8)


def test_identity_of_aligned_rows_agrees_with_a_plain_loop(stream):
    texts = gapped(stream, 20, 50)
    texts.append("-" * 50)
    found = identities(coded(texts), coded(texts))
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            same = sum(x == y and x in RESIDUES for x, y in zip(a, b, strict=True))
            shorter = min(sum(c in RESIDUES for c in t) for t in (a, b))
            assert found[i, j] == (same / shorter if shorter else 0)


@pytest.mark.parametrize("tile", [1 << 25, 26 * 60 * 7])
@pytest.mark.parametrize("threshold", [0.15, 0.25, 0.401, 0.62])
def test_single_linkage_agrees_with_easel(stream, monkeypatch, tile, threshold):
    monkeypatch.setattr(seed_identity, "_ONE_HOT", tile)
    texts = gapped(stream, 40, 60)
    names = [f"s{i}" for i in range(40)]
    rows = [
        TextSequence(name=n, sequence=t.replace(".", "-"))
        for n, t in zip(names, texts, strict=True)
    ]
    alignment = TextMSA(name="a", sequences=rows).digitize(Alphabet.amino())
    # BLOSUM weights: each of Easel's single-linkage clusters shares the weight of one sequence.
    weights = np.array(alignment.compute_weights("blosum", max_identity=threshold))
    labels = single_linkage(coded(texts), threshold)
    sizes = pd.Series(labels).groupby(labels).transform("size").to_numpy()
    expected = weights.sum() / len(set(labels)) / sizes
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


@pytest.fixture
def seed_file(tmp_path, stream):
    """Two families of 30 rows in a seed file, and their domain table in another order."""
    rows, text = [], []
    for family in ("PF00001.1", "PF00002.3"):
        text += ["# STOCKHOLM 1.0", f"#=GF ID   {family}", f"#=GF AC   {family}"]
        for i, aligned in enumerate(gapped(stream, 30, 60)):
            sequence = aligned.replace("-", "").replace(".", "")
            place = f"P{i}.1/5-{4 + len(sequence)}"
            text.append(f"{place} {aligned}")
            rows.append(
                (f"{family}/{place}", f"P{i}.1", 5, 4 + len(sequence), family, "", sequence)
            )
        text.append("//")
    path = tmp_path / "seed.sto"
    path.write_text("\n".join(text) + "\n")
    columns = ["id", "protein", "start", "end", "family", "clan", "sequence"]
    table = pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1, ignore_index=True)
    return path, table


def test_a_split_by_seed_alignment_is_certified_and_a_planted_leak_is_found(seed_file):
    path, domains = seed_file
    table = domains[["id", "family"]].assign(
        component=link_by_alignment(domains, path, 0.4).components
    )
    assert (table.groupby("component")["family"].nunique() == 1).all()
    split = clustered_split(table, **SHARES, seed=1)
    options = {**LIMITS, "min_identity": 0.4, "prefilter": "none", "threads": 1}
    clean = certify(domains, split, **options, seed=path)
    assert clean["leaking_pairs"] == 0 and (split["part"] == "test").sum() > 3
    assert clean["definition"] == {"kind": "alignment", "min_identity": 0.4}
    nearest = nearest_training_identity(domains, split["part"], path)
    assert np.isnan(nearest[split["part"] == "train"]).all()
    held_out = nearest[split["part"] != "train"]
    assert 0 < held_out.max() < 0.4
    counts, _ = np.histogram(held_out, bins=20, range=(0, 1))
    assert counts.tolist() == clean["nearest_identity"]["rows"]
    sizes = split.groupby("component")["id"].transform("size")
    victim = split[(split["part"] == "train") & (sizes > 3)]["id"].iloc[0]
    planted = split.assign(part=split["part"].where(split["id"] != victim, "test"))
    found = certify(domains, planted, **options, seed=path)
    assert found["leaking_pairs"] > 0 and {e["query"] for e in found["examples"]} == {victim}


def test_a_domain_that_the_seed_file_lacks_is_named(seed_file):
    path, domains = seed_file
    more = pd.concat([domains, domains.head(1).assign(id="PF00009.1/Q.1/1-9")], ignore_index=True)
    with pytest.raises(InputError, match=r"1 domains of the table are not in it"):
        list(seed_alignments(path, more))


def test_components_stay_whole_and_the_largest_trains(split):
    assert (split.groupby("component")["part"].nunique() == 1).all()
    for _, rows in split.groupby("family"):
        sizes = rows["component"].value_counts()
        assert set(rows.loc[rows["component"] == sizes.index[0], "part"]) == {"train"}
        assert (rows["part"] == "test").sum() <= 0.25 * len(rows)
        assert (rows["part"] == "dev").sum() <= 0.1 * len(rows)
    assert (split["part"] == "test").sum() > 0
    assert split.loc[split["part"] == "train", "nearest_train_identity"].isna().all()


def test_split_depends_on_the_seed_alone(domains, table):
    make = lambda seed: clustered_split(table, **SHARES, seed=seed)["part"]  # noqa: E731
    assert make(3).equals(make(3))
    assert not make(3).equals(make(4))
    draw = lambda seed: random_split(domains, **SHARES, seed=seed)["part"]  # noqa: E731
    assert draw(3).equals(draw(3))
    assert not draw(3).equals(draw(4))


def test_summary_counts_what_happened_to_each_family(split):
    families, totals = summarise(split)
    assert families["rows"].sum() == len(split) == totals["rows"]
    assert families[["train", "dev", "test"]].sum(axis=1).equals(families["rows"])
    assert families["components"].sum() == split["component"].nunique() == totals["components"]
    alone = split.assign(component=0, part="train").query("family == 'PF00001.1'")
    more = pd.concat([split, alone.assign(family="PF9", component=999)], ignore_index=True)
    _, with_one = summarise(more)
    assert with_one["families_with_one_component"] == totals["families_with_one_component"] + 1
    assert with_one["families_only_in_train"] == totals["families_only_in_train"] + 1
    assert with_one["families"] == 7


def test_nearest_identity_agrees_with_the_certificate(domains, split):
    found = certify(domains, split, **LIMITS, prefilter="none", threads=2)
    held_out = split.loc[split["part"] != "train", "nearest_train_identity"]
    counts, _ = np.histogram(held_out, bins=20, range=(0, 1))
    assert counts.tolist() == found["nearest_identity"]["rows"]


@pytest.mark.parametrize("prefilter", ["none", "family", "ungapped"])
def test_certificate_is_zero_for_the_split_and_finds_a_planted_leak(
    domains, split, tmp_path, prefilter
):
    options = {**LIMITS, "prefilter": prefilter, "threads": 2}
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

    if prefilter != "none":
        return
    domains = domains[["id", "protein", "start", "end", "family", "clan", "sequence"]]
    write_table(domains, "domains", tmp_path / "domains.parquet")
    write_table(planted, "split", tmp_path / "split.parquet")
    arguments = [
        "--domains", tmp_path / "domains.parquet", "--split", tmp_path / "split.parquet",
        "--min-identity", 0.25, "--min-coverage", 0.8, "--min-bits", 0,
        "--output", tmp_path / "leakage.json",
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
