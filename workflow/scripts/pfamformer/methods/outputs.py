"""What every classifier hands over: its ``predictions`` and its ``scores`` table.

``predictions`` is the answer for each test domain. ``scores`` lists the best families of each
development and test domain, so that methods can be combined and calibrated without running again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.tables import write_table

#: Parts that methods score: weights and temperatures are fitted on dev, judged on test.
SCORED = ("dev", "test")


def parts_of(domains: pd.DataFrame, split: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of the domain table by part of a split."""
    part = domains["id"].map(split.set_index("id")["part"])
    return {name: domains[part == name].reset_index(drop=True) for name in ("train", *SCORED)}


def best_of(scores: pd.DataFrame, domains: pd.DataFrame) -> pd.DataFrame:
    """The best family of each domain, in the order of ``domains``.

    Equal scores: the first family by name. A domain without any score has an empty family and
    score 0.

    Args:
        scores: columns ``id``, ``family``, ``score``.

    Returns:
        Columns ``family`` and ``score``, indexed by domain id.
    """
    ordered = scores.sort_values(["score", "family"], ascending=[False, True], kind="stable")
    best = ordered.drop_duplicates("id").set_index("id")[["family", "score"]]
    return best.reindex(domains["id"]).fillna({"family": "", "score": 0.0})


def predictions_from(
    scores: pd.DataFrame, domains: pd.DataFrame, method: str, run: str
) -> pd.DataFrame:
    """The ``predictions`` table of ``domains``: the family with the highest score of each."""
    best = best_of(scores, domains)
    return pd.DataFrame(
        {
            "id": domains["id"].to_numpy(),
            "truth": domains["family"].to_numpy(),
            "predicted": best["family"].to_numpy(),
            "score": best["score"].to_numpy(dtype=float),
            "method": method,
            "run": run,
        }
    )


def long_scores(
    domains: pd.DataFrame, matrix: np.ndarray, families: Sequence[str], limit: int
) -> pd.DataFrame:
    """The ``limit`` best families of each row of a dense matrix, best first.

    Args:
        matrix: scores, shape (len(domains), len(families)).

    Returns:
        Columns ``id``, ``family``, ``score``.
    """
    kept = min(limit, len(families))
    order = np.argsort(-matrix, axis=1, kind="stable")[:, :kept]
    return pd.DataFrame(
        {
            "id": np.repeat(domains["id"].to_numpy(), kept),
            "family": np.asarray(families, dtype=object)[order].ravel(),
            "score": np.take_along_axis(matrix, order, axis=1).ravel().astype(float),
        }
    )


def keep_best(scores: pd.DataFrame, limit: int) -> pd.DataFrame:
    """The ``limit`` best families of each domain, best first, domains in order of appearance."""
    position = {name: i for i, name in enumerate(dict.fromkeys(scores["id"]))}
    ordered = scores.assign(row=scores["id"].map(position)).sort_values(
        ["row", "score", "family"], ascending=[True, False, True], kind="stable"
    )
    kept = ordered[ordered.groupby("row").cumcount() < limit]
    return kept.drop(columns="row").reset_index(drop=True)


def write_outputs(
    scores: Mapping[str, pd.DataFrame],
    parts: Mapping[str, pd.DataFrame],
    folder: Path,
    *,
    method: str,
    run: str,
    limit: int,
    logarithmic: bool = False,
) -> None:
    """Write ``scores.parquet`` and ``predictions.parquet`` of one method.

    Args:
        scores: for ``dev`` and ``test``: columns ``id``, ``family``, ``score``, higher is better.
        parts: for ``test``: the rows of the domain table.
        limit: families kept of each domain.
        logarithmic: scores are log-probabilities; predictions then state probabilities.
    """
    tables = [
        keep_best(scores[part], limit).assign(part=part, run=run)[
            ["id", "part", "family", "score", "run"]
        ]
        for part in SCORED
    ]
    write_table(pd.concat(tables, ignore_index=True), "scores", folder / "scores.parquet")
    answers = predictions_from(scores["test"], parts["test"], method, run)
    if logarithmic:
        answers["score"] = np.exp(answers["score"])
    write_table(answers, "predictions", folder / "predictions.parquet")


def places(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The protein of every slice, and the number of its first residue on it.

    A shuffled slice stands for itself: its name is its protein and its first residue is 1.
    """
    real = (table["kind"] == "protein").to_numpy()
    names = np.where(real, table["protein"], table["id"])
    return names, np.where(real, table["start"], 1)
