"""Splitting domains into train, dev and test without leakage (study, section 2.5).

Clustered: similar pairs of a family are edges, connected components are never divided, and only
whole components are assigned (as GraphPart does; the definition follows Bileschi et al. 2022).
Families with a single component train as a whole, and are counted.
Random: the published comparison, drawn per family; it leaks by construction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pfamformer.families.linkage import held_out_pairs
from pfamformer.families.similarity import Aligner, mutual_identity

PARTS = ("train", "dev", "test")


def components(ids: pd.Series, edges: pd.DataFrame) -> np.ndarray:
    """Connected components of the graph whose nodes are ``ids``; shape (len(ids),), from 0.

    Args:
        edges: columns ``query`` and ``target``; direction does not matter.
    """
    row = pd.Series(np.arange(len(ids)), index=ids.to_numpy())
    source, target = row[edges["query"]].to_numpy(), row[edges["target"]].to_numpy()
    graph = coo_array((np.ones(len(edges), dtype=bool), (source, target)), (len(ids), len(ids)))
    return connected_components(graph, directed=False)[1]


def clustered_split(
    components: pd.DataFrame, *, dev: float, test: float, seed: int
) -> pd.DataFrame:
    """Assign whole components to parts, family by family.

    The largest component of a family trains. Each other one, in a seeded order, goes to whichever
    of test and dev has filled less of its share of the family and has room for it, else to train.

    Args:
        components: columns ``id``, ``family``, ``component``.
        dev, test: largest shares of each family's rows, 0…1.

    Returns:
        Columns ``id``, ``family``, ``component``, ``part``, in the order of ``components``.
    """
    table = components[["id", "family", "component"]].copy()
    table["part"] = "train"
    for family, rows in table.groupby("family", sort=True):
        sizes = (
            rows["component"]
            .value_counts()
            .sort_index()
            .sort_values(ascending=False, kind="stable")
        )
        stream = np.random.default_rng([seed, *str(family).encode()])
        share = {"test": test * len(rows), "dev": dev * len(rows)}
        filled = dict.fromkeys(share, 0)
        chosen: dict[str, list[int]] = {part: [] for part in share}
        for component in stream.permutation(sizes.index[1:].to_numpy(copy=True)):
            fitting = [p for p in share if filled[p] + sizes[component] <= share[p]]
            if fitting:
                part = min(fitting, key=lambda p: filled[p] / share[p])
                filled[part] += sizes[component]
                chosen[part].append(component)
        for part, members in chosen.items():
            table.loc[rows.index[rows["component"].isin(members)], "part"] = part
    return table


def random_split(domains: pd.DataFrame, *, dev: float, test: float, seed: int) -> pd.DataFrame:
    """The same shares drawn row by row within each family; every row is its own component."""
    table = domains[["id", "family"]].copy()
    table["component"] = np.arange(len(table), dtype=np.int32)
    table["part"] = "train"
    for family, rows in table.groupby("family", sort=True):
        stream = np.random.default_rng([seed, *str(family).encode()])
        order = rows.index[stream.permutation(len(rows))]
        tests, devs = int(test * len(rows)), int(dev * len(rows))
        table.loc[order[:tests], "part"] = "test"
        table.loc[order[tests : tests + devs], "part"] = "dev"
    return table


def nearest_train_identity(domains: pd.DataFrame, part: pd.Series, threads: int) -> np.ndarray:
    """Highest identity of each held-out domain with a training domain of its family.

    Identity is identical residues of a Smith-Waterman alignment over the shorter length; every pair
    is aligned.

    Args:
        domains: columns ``family`` and ``sequence``.
        part: train, dev or test, for each row of ``domains``.

    Returns:
        Shape (domains,); 0 where nothing aligns, NaN for training domains.
    """
    lengths = domains["sequence"].str.len().to_numpy()
    nearest = np.where(part == "train", np.nan, 0.0)
    with Aligner(domains["sequence"], threads) as aligner:
        for queries, targets in held_out_pairs(domains["family"], part):
            hits = aligner.align(queries, targets)
            np.maximum.at(nearest, hits["query"].to_numpy(), mutual_identity(hits, lengths))
    return nearest


def summarise(split: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a split did to each family, and how often what happened.

    Args:
        split: the ``split`` table.

    Returns:
        The ``split_summary`` table, one row per family, and totals for ``summary.json``.
    """
    by_family = split.groupby("family", sort=True)
    sizes = split.groupby(["family", "component"]).size()
    parts = split.groupby(["family", "part"]).size().unstack(fill_value=0)
    table = pd.DataFrame(
        {
            "rows": by_family.size(),
            "components": by_family["component"].nunique(),
            "largest_component": sizes.groupby(level=0).max(),
            **{name: parts.get(name, 0) for name in PARTS},
        }
    )
    held_out = split[split["part"] == "test"]
    totals = {
        "families": len(table),
        "rows": len(split),
        "components": int(table["components"].sum()),
        "parts": {name: int(table[name].sum()) for name in PARTS},
        "families_with_one_component": int((table["components"] == 1).sum()),
        "families_only_in_train": int((table["train"] == table["rows"]).sum()),
        "families_in": {name: int((table[name] > 0).sum()) for name in PARTS},
        "components_in": {
            name: int(split.loc[split["part"] == name, "component"].nunique()) for name in PARTS
        },
        "rows_outside_largest_component": int((table["rows"] - table["largest_component"]).sum()),
        "median_nearest_train_identity_of_test": (
            float(held_out["nearest_train_identity"].median()) if len(held_out) else None
        ),
    }
    return table.reset_index(), totals
