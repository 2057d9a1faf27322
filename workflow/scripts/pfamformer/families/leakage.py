"""The leakage certificate: a second, independent search of held-out against training domains.

The split is made from alignments within families; the certificate comes from a plain
``mmseqs search`` of everything held out against everything trained on, all families at once, so
that an error in the splitting code cannot hide itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfamformer.errors import InputError
from pfamformer.families.similarity import mutual_identity, over_threshold, search


def certify(
    domains: pd.DataFrame,
    split: pd.DataFrame,
    *,
    min_identity: float,
    min_coverage: float,
    prefilter: str,
    threads: int,
) -> dict[str, Any]:
    """Search held-out domains against training domains and count what reaches the threshold.

    Returns:
        A dictionary for ``leakage.json``: the definition, the number of same-family pairs at or
        above it (``leaking_pairs``, zero for a split that keeps its promise) with examples, pairs
        of different families, and the distribution of each held-out row's nearest identity.

    Raises:
        ValueError: a domain of the split is missing from ``domains``, or the other way round.
    """
    if set(domains["id"]) != set(split["id"]):
        raise ValueError("the split and the domain table do not hold the same domains")
    part = split.set_index("id")["part"]
    of_row = domains["id"].map(part)
    held_out, train = domains[of_row != "train"], domains[of_row == "train"]
    hits = search(held_out, train, threads, prefilter)
    family = domains.set_index("id")["family"]
    same = (hits["query"].map(family) == hits["target"].map(family)).to_numpy()
    over = over_threshold(hits, min_identity, min_coverage).to_numpy()
    lengths = dict(zip(domains["id"], domains["sequence"].str.len(), strict=True))
    nearest = pd.Series(mutual_identity(hits, lengths), index=hits["query"].to_numpy())
    nearest = nearest[same].groupby(level=0).max().reindex(held_out["id"], fill_value=0.0)
    leaking = hits[same & over].sort_values("identity", ascending=False)
    counts, edges = np.histogram(nearest, bins=20, range=(0, 1))
    return {
        "definition": {"min_identity": min_identity, "min_coverage_of_both": min_coverage},
        "search": {"tool": "mmseqs search", "prefilter": prefilter, "alignments": len(hits)},
        "parts": {name: int(n) for name, n in of_row.value_counts().sort_index().items()},
        "leaking_pairs": len(leaking),
        "leaking_rows": int(leaking["query"].nunique()),
        "examples": leaking.head(5)[["query", "target", "identity"]].to_dict("records"),
        "pairs_of_different_families": int((over & ~same).sum()),
        "nearest_identity": {
            "definition": "identical residues / shorter length, same family",
            "bin_edges": [round(float(e), 3) for e in edges],
            "rows": [int(c) for c in counts],
            "median": float(nearest.median()),
        },
    }


def refuse_leaks(found: dict[str, Any], split: str | Path) -> None:
    """Fail where a certificate counts leaking pairs.

    Args:
        found: what :func:`certify` returned.
        split: path of the split, for the message.

    Raises:
        InputError: with the first pair.
    """
    if found["leaking_pairs"]:
        first = found["examples"][0]
        raise InputError(
            split,
            f"{found['leaking_pairs']} same-family pairs across train and held-out parts reach the "
            f"threshold, for example {first['query']} and {first['target']} "
            f"({first['identity']:.0%} identity)",
            remedy="Delete the split and rerun; if it was made by another program, mend that",
        )
