"""Splitting domains into train, dev and test without leakage (study, section 2.5).

Clustered: similar pairs of a family are edges, connected components are never divided, and only
whole components are assigned (as GraphPart does; the definition follows Bileschi et al. 2022).
Random: the published comparison, drawn per family; it leaks by construction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pfamformer.families.similarity import mutual_identity

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
    domains: pd.DataFrame, edges: pd.DataFrame, *, dev: float, test: float, seed: int
) -> pd.DataFrame:
    """Assign whole components to parts, family by family.

    The largest component of a family trains. Each other one, in a seeded order, goes to whichever
    of test and dev has filled less of its share of the family and has room for it, else to train.

    Args:
        domains: columns ``id`` and ``family``.
        edges: same-family pairs that must stay together.
        dev, test: largest shares of each family's rows, 0…1.

    Returns:
        Columns ``id``, ``family``, ``component``, ``part``, in the order of ``domains``.
    """
    table = domains[["id", "family"]].copy()
    table["component"] = components(table["id"], edges).astype(np.int32)
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


def nearest_train_identity(
    split: pd.DataFrame, pairs: pd.DataFrame, lengths: dict[str, int]
) -> pd.Series:
    """For each row outside train, its highest identity with a training row of its family.

    Identity is identical residues over the shorter length; 0 where nothing aligns, missing for
    training rows.
    """
    part = split.set_index("id")["part"]
    across = pairs[(pairs["query"].map(part) != "train") & (pairs["target"].map(part) == "train")]
    best = pd.Series(mutual_identity(across, lengths), index=across["query"].to_numpy())
    nearest = split["id"].map(best.groupby(level=0).max()).fillna(0.0)
    return nearest.where(split["part"] != "train")
