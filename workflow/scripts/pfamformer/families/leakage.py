"""The leakage certificate: a second, independent look at held-out against training domains.

Components and parts are worked out in :mod:`linkage` and :mod:`splits`; here the finished split is
all that counts. By search, every held-out domain is aligned with training domains anew, in one of
three ways (setting ``splits.certificate_prefilter``):

``none``: with all of them (exact, also for pairs of different families);
``family``: with all of its own family (exact for leaks; other families are not looked at);
``ungapped``: with those that have the best ungapped diagonals (a heuristic, for all families).

By alignment, the residues of the two rows are compared column by column.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfamformer.errors import InputError
from pfamformer.families.linkage import held_out_pairs
from pfamformer.families.seed_identity import GAP, seed_alignments, ungapped_lengths
from pfamformer.families.similarity import Aligner, mutual_identity, over_threshold, search


def certify(
    domains: pd.DataFrame,
    split: pd.DataFrame,
    *,
    min_identity: float,
    min_coverage: float,
    min_bits: float,
    prefilter: str,
    threads: int,
    seed: str | Path | None = None,
) -> dict[str, Any]:
    """Compare held-out with training domains and count the pairs that reach the threshold.

    Args:
        seed: seed alignments, where identity is that of the seed alignment; nothing is searched.

    Returns:
        A dictionary for ``leakage.json``: the definition, the number of same-family pairs at or
        above it (``leaking_pairs``, zero for a split that keeps its promise) with examples, pairs
        of different families, and the distribution of each held-out row's nearest identity.

    Raises:
        ValueError: a domain of the split is missing from ``domains``, or the other way round.
    """
    if set(domains["id"]) != set(split["id"]):
        raise ValueError("the split and the domain table do not hold the same domains")
    part = domains["id"].map(split.set_index("id")["part"])
    if seed is not None:
        hits, alignments = _aligned_pairs(domains, part, seed), 0
        definition = {"kind": "alignment", "min_identity": min_identity}
        how = {"tool": "columns of the seed alignment", "prefilter": "none"}
        over, reach = hits["identity"] >= min_identity, hits["identity"].to_numpy()
        across = False
    else:
        hits = _searched_pairs(domains, part, prefilter, threads)
        alignments = len(hits)
        definition = {
            "kind": "search",
            "min_identity": min_identity,
            "min_coverage_of_both": min_coverage,
            "min_bits": min_bits,
        }
        how = {"tool": "mmseqs", "prefilter": prefilter}
        over = over_threshold(hits, min_identity, min_coverage, min_bits)
        across = prefilter != "family"
        reach = mutual_identity(hits, domains["sequence"].str.len().to_numpy())
    family = domains["family"].to_numpy()
    same = family[hits["query"]] == family[hits["target"]]
    nearest = np.zeros(len(domains))
    np.maximum.at(nearest, hits["query"].to_numpy()[same], reach[same])
    leaking = hits[same & over].sort_values("identity", ascending=False, kind="stable")
    ids = domains["id"].to_numpy()
    examples = leaking.head(5)
    return {
        "definition": definition,
        "search": {**how, "alignments": alignments},
        "parts": {name: int(n) for name, n in part.value_counts().sort_index().items()},
        "leaking_pairs": len(leaking),
        "leaking_rows": int(leaking["query"].nunique()),
        "examples": [
            {"query": ids[q], "target": ids[t], "identity": float(identity)}
            for q, t, identity in examples[["query", "target", "identity"]].itertuples(index=False)
        ],
        "pairs_of_different_families": int((over & ~same).sum()) if across else None,
        "nearest_identity": _distribution(nearest[(part != "train").to_numpy()]),
    }


def _distribution(nearest: np.ndarray) -> dict[str, Any]:
    counts, edges = np.histogram(nearest, bins=20, range=(0, 1))
    return {
        "definition": "identical residues / shorter length, same family",
        "bin_edges": [round(float(e), 3) for e in edges],
        "rows": [int(c) for c in counts],
        "median": float(np.median(nearest)) if len(nearest) else None,
    }


def _searched_pairs(
    domains: pd.DataFrame, part: pd.Series, prefilter: str, threads: int
) -> pd.DataFrame:
    """Alignments of held-out (query) with training domains (target), by row number."""
    sequences = domains["sequence"]
    if prefilter == "family":
        with Aligner(sequences, threads) as aligner:
            pairs = held_out_pairs(domains["family"], part)
            tables = [aligner.align(queries, targets) for queries, targets in pairs]
        return pd.concat(tables, ignore_index=True)
    train, held_out = np.flatnonzero(part == "train"), np.flatnonzero(part != "train")
    found = search(sequences.iloc[held_out], sequences.iloc[train], threads, prefilter)
    return found.assign(query=held_out[found["query"]], target=train[found["target"]])


def _aligned_pairs(domains: pd.DataFrame, part: pd.Series, seed: str | Path) -> pd.DataFrame:
    """Identity of each held-out row with each training row of its family, by row number.

    The rows of a seed alignment are compared one by one, without the matrix product of
    :mod:`seed_identity`.
    """
    train = (part == "train").to_numpy()
    queries, targets, found = [], [], []
    for rows, codes in seed_alignments(seed, domains):
        known, lengths = codes[train[rows]], ungapped_lengths(codes)
        for i in np.flatnonzero(~train[rows]):
            same = ((known == codes[i]) & (codes[i] != GAP)).sum(axis=1)
            shorter = np.maximum(np.minimum(lengths[train[rows]], lengths[i]), 1)
            queries.append(np.full(len(known), rows[i]))
            targets.append(rows[train[rows]])
            found.append(same / shorter)
    empty = [np.zeros(0, dtype=np.int64)]
    return pd.DataFrame(
        {
            "query": np.concatenate(queries or empty),
            "target": np.concatenate(targets or empty),
            "identity": np.concatenate(found or [np.zeros(0)]),
        }
    )


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
