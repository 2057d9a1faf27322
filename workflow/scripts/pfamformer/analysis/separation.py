"""How well vectors of an encoder tell families apart, without training for it (study, 2.5.4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import silhouette_score

from pfamformer.analysis.vectors import unit
from pfamformer.evaluation.intervals import bootstrap_ratio


def choose(domains: pd.DataFrame, split: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Test domains, and of each of their families at most ``most`` training domains.

    Returns:
        Rows of ``domains`` with their ``part`` and ``component``.
    """
    table = domains.merge(split[["id", "part", "component"]], on="id", validate="one_to_one")
    test = table[table["part"] == "test"]
    train = table[(table["part"] == "train") & table["family"].isin(test["family"])]
    train = train.sample(frac=1, random_state=seed).groupby("family").head(most)
    return pd.concat([train, test]).reset_index(drop=True)


def separation(
    vectors: Mapping[str, np.ndarray],
    chosen: pd.DataFrame,
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """Per encoder: family of the nearest training vector, and silhouette of families.

    Args:
        vectors: one row per row of ``chosen``.

    Returns:
        ``encoder``, ``accuracy`` (share of test domains whose nearest training domain by cosine is
        of their family) with its interval over components, and ``silhouette`` of the training
        domains by family. Vectors are centred on the training mean.
    """
    train = (chosen["part"] == "train").to_numpy()
    family = chosen["family"].to_numpy()
    component = chosen.loc[~train, "component"].to_numpy()
    rows = []
    for name, x in vectors.items():
        u = unit(x, x[train].mean(0))
        nearest = (u[~train] @ u[train].T).argmax(1)
        right = family[train][nearest] == family[~train]
        groups = pd.Series(right).groupby(component).agg(["sum", "count"])
        found = bootstrap_ratio(
            groups["sum"].to_numpy(), groups["count"].to_numpy(), draws, confidence,
            np.random.default_rng(seed),
        )  # fmt: skip
        silhouette = silhouette_score(u[train], family[train], metric="cosine")
        rows.append([name, found.value, found.low, found.high, float(silhouette)])
    columns = ["encoder", "accuracy", "accuracy_low", "accuracy_high", "silhouette"]
    return pd.DataFrame(rows, columns=columns)
