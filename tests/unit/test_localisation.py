import json

import numpy as np
import pandas as pd
import pytest

from conftest import mutate, random_sequence, run_script
from pfamformer.families.localisation import (
    OUTSIDE,
    Place,
    protein_components,
    residue_labels,
    resolve_overlaps,
    slices,
    split_proteins,
)
from pfamformer.tables import SCHEMAS, read_table, write_table


@pytest.mark.parametrize(
    ("given", "kept", "count"),
    [
        # Side by side: nothing happens.
        ([(1, 50, "A", ""), (51, 90, "B", "")], [(1, 50, "A"), (51, 90, "B")], None),
        # Nested: both stay as they are.
        ([(1, 100, "A", ""), (40, 60, "B", "")], [(1, 100, "A"), (40, 60, "B")], "nested"),
        ([(1, 100, "A", ""), (1, 60, "B", "")], [(1, 60, "B"), (1, 100, "A")], "nested"),
        # Inside, but of the same clan or family: the longer stays.
        ([(1, 100, "A", "C"), (10, 95, "B", "C")], [(1, 100, "A")], "left_out"),
        ([(1, 100, "A", ""), (10, 95, "A", "")], [(1, 100, "A")], "left_out"),
        # The same place: the first family by name.
        ([(5, 9, "B", ""), (5, 9, "A", "")], [(5, 9, "A")], "left_out"),
        # Less than half of the shorter is left: the longer stays.
        ([(1, 100, "A", ""), (61, 130, "B", "")], [(1, 100, "A")], "left_out"),
        # More: the longer keeps the five shared residues.
        ([(1, 50, "A", ""), (46, 99, "B", "")], [(1, 45, "A"), (46, 99, "B")], "cut"),
        ([(1, 50, "A", ""), (46, 80, "B", "")], [(1, 50, "A"), (51, 80, "B")], "cut"),
    ],
)  # fmt: skip
def test_overlaps(given, kept, count):
    for order in (given, given[::-1]):
        places, counts = resolve_overlaps(Place(*p) for p in order)
        assert [(p.start, p.end, p.family) for p in places] == kept
        assert {k: n for k, n in counts.items() if n} == ({count: 1} if count else {})


def test_any_overlaps_end_with_one_label_for_each_residue(stream):
    for _ in range(300):
        given = []
        for _ in range(stream.integers(1, 7)):
            start, length = (int(n) for n in stream.integers(1, 80, 2))
            clan = str(stream.choice(["", "C1", "C2"]))
            given.append(Place(start, start + length, str(stream.choice(list("ABCD"))), clan))
        places, counts = resolve_overlaps(given)
        assert len(places) + counts["left_out"] == len(given)
        numbers = {f: i for i, f in enumerate("ABCD")}
        labels = residue_labels(1, 160, places, numbers)
        covered = {r for p in places for r in range(p.start, p.end + 1)}
        assert {i + 1 for i in np.flatnonzero(labels != OUTSIDE)} == covered
        for a in places:
            assert len(a) > 0
            for b in places:
                if a != b and a.shared(b):
                    assert a.is_nested_in(b) or b.is_nested_in(a)
                    inner = a if a.is_nested_in(b) else b
                    deeper = [p for p in places if p.is_nested_in(inner)]
                    own = {r for r in range(inner.start, inner.end + 1)
                           if not any(p.start <= r <= p.end for p in deeper)}  # fmt: skip
                    assert {labels[r - 1] for r in own} <= {numbers[inner.family]}


def test_slices_divide_no_domain_and_lose_no_residue(stream):
    for _ in range(300):
        length, most = int(stream.integers(1, 400)), int(stream.integers(20, 120))
        places, position = [], 1
        while position + 60 < length:
            start = position + int(stream.integers(0, 40))
            end = min(length, start + int(stream.integers(5, 90)))
            places.append(Place(start, end, "A"))
            position = end + 1
        cuts = slices(length, places, most)
        assert [r for s, e in cuts for r in range(s, e + 1)] == list(range(1, length + 1))
        for place in places:
            assert sum(s <= place.start and place.end <= e for s, e in cuts) == 1
        for start, end in cuts:
            if end - start + 1 > most:
                assert any(start == p.start and end == p.end for p in places)


def table_of(rows):
    """Domains as (protein, family, component)."""
    domains = pd.DataFrame(rows, columns=["protein", "family", "component"])
    domains["id"] = [f"d{i}" for i in range(len(domains))]
    return domains


def test_proteins_that_share_a_component_stay_together(stream):
    rows = [(f"P{i}", f"F{i % 3}", i) for i in range(40)]  # one protein, one component each
    rows += [(f"P{i}", "G", 100 + i // 4) for i in range(40)]  # joined in fours
    rows += [("Q", "ONLY", 999)]
    domains = table_of(rows)
    component = protein_components(domains, domains[["id", "component"]])
    assert component.nunique() == 11
    part = split_proteins(component, domains, dev=0.2, test=0.3, seed=1)
    for _, together in part.groupby(component):
        assert together.nunique() == 1
    assert part["Q"] == "train"  # the only protein of its family
    sizes = part.value_counts()
    assert 0 < sizes["test"] <= 0.3 * 41 and 0 < sizes["dev"] <= 0.2 * 41
    families = domains.assign(part=domains["protein"].map(part))
    assert set(families.loc[families["part"] == "train", "family"]) == set(families["family"])
    again = split_proteins(component, domains, dev=0.2, test=0.3, seed=1)
    assert part.equals(again)
    assert not part.equals(split_proteins(component, domains, dev=0.2, test=0.3, seed=2))


def test_a_family_is_learnt_from_its_largest_component():
    rows = [(f"A{i}", "F", 0) for i in range(9)] + [("B", "F", 1), ("C", "F", 2)]
    rows += [(f"D{i}", "G", 3) for i in range(3)] + [("E0", "G", 4), ("E1", "G", 4)]
    domains = table_of(rows)
    component = protein_components(domains, domains[["id", "component"]])
    for seed in range(5):
        part = split_proteins(component, domains, dev=0.4, test=0.4, seed=seed)
        assert (part[part.index.str[0].isin(["A", "D"])] == "train").all()
        assert (part[part.index.str[0].isin(["B", "C", "E"])] != "train").all()


def test_script_writes_tables_that_fit_together(tmp_path, stream):
    ancestors = {f: [random_sequence(stream, 60) for _ in range(6)] for f in ("PF1.1", "PF2.1")}
    domains, proteins, split = [], [], []
    for number in range(60):
        kind = number % 6
        first, second = (mutate(stream, ancestors[f][kind], 0.2) for f in ancestors)
        sequence = random_sequence(stream, 150) + first + random_sequence(stream, 30) + second
        name = f"P{number}.1"
        proteins.append((name, sequence))
        for family, start, residues, offset in (
            ("PF1.1", 151, first, 0),
            ("PF2.1", 241, second, 6),
        ):
            row = f"{family}/{name}/{start}-{start + 59}"
            domains.append((row, name, start, start + 59, family, "", residues))
            split.append((row, family, kind + offset, "train", np.nan))
    for name, rows, file in (("domains", domains, "d"), ("proteins", proteins, "p"),
                             ("split", split, "s")):  # fmt: skip
        write_table(pd.DataFrame(rows, columns=SCHEMAS[name].names), name, tmp_path / file)
    arguments = [
        "--domains", tmp_path / "d", "--proteins", tmp_path / "p", "--split", tmp_path / "s",
        "--max-length", 200, "--shuffled-share", 0.5, "--dev-share", 0.2, "--test-share", 0.2,
        "--min-identity", 0.4, "--min-coverage", 0.8, "--min-bits", 0, "--seed", 3,
        "--table", tmp_path / "t", "--places", tmp_path / "o",
        "--leakage", tmp_path / "l", "--summary", tmp_path / "u",
    ]  # fmt: skip
    ended = run_script("localisation_data", *arguments)
    assert ended.returncode == 0, ended.stderr
    table = read_table("localisation", tmp_path / "t")
    places = read_table("localisation_domains", tmp_path / "o")
    summary = json.loads((tmp_path / "u").read_text())
    assert json.loads((tmp_path / "l").read_text())["leaking_pairs"] == 0
    real = table[table["kind"] == "protein"].set_index("id")
    whole = dict(proteins)
    assert "".join(real["sequence"]) == "".join(whole.values())
    assert table["sequence"].str.len().max() <= 200 and len(real) == 120
    assert len(places) == 120 == summary["domains"]
    for row in places.itertuples():
        piece = real.loc[row.id]
        assert piece["start"] <= row.start and row.end <= piece["end"]
    negatives = table[table["kind"] == "shuffled"]
    assert 40 <= len(negatives) <= 80
    for row in negatives.itertuples():
        origin = real.loc[row.id.removeprefix("shuffled/")]
        assert sorted(origin["sequence"]) == sorted(row.sequence) and row.part == origin["part"]
        assert origin["sequence"] != row.sequence
    parts = real.groupby("protein")["part"].nunique()
    assert (parts == 1).all() and set(real["part"]) == {"train", "dev", "test"}
    first = (tmp_path / "t").read_bytes()
    run_script("localisation_data", *arguments)
    assert (tmp_path / "t").read_bytes() == first
    # A split whose components join too little leaks, and the certificate finds it.
    loose = pd.DataFrame(split, columns=SCHEMAS["split"].names)
    loose["component"] = range(len(loose))
    write_table(loose, "split", tmp_path / "s")
    ended = run_script("localisation_data", *arguments)
    assert ended.returncode == 1 and "same-family pairs across train" in ended.stderr
