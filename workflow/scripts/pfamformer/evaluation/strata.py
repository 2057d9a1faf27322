"""Where a method errs: by identity to the training set, by size of the family, within clans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pfamformer.evaluation.classification import share
from pfamformer.evaluation.intervals import Interval

#: Lower ends of the bins of identity to the nearest training domain; finest where tests lie.
IDENTITIES = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 0.8)
#: Lower ends of the bins of training domains in a family.
SIZES = (1, 5, 10, 20, 50, 100, 200, 500, 1000)


def add_strata(table: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Add ``identity`` to the nearest training domain and training ``size`` of the family."""
    sizes = split[split["part"] == "train"]["family"].value_counts()
    identity = split.set_index("id")["nearest_train_identity"]
    return table.assign(
        identity=table["id"].map(identity), size=table["family"].map(sizes).fillna(0).astype(int)
    )


def errors_by(
    table: pd.DataFrame, column: str, edges: Sequence[float], **options: object
) -> pd.DataFrame:
    """Error rate in bins of a column, with intervals over components.

    Args:
        table: of :func:`pfamformer.evaluation.classification.correct`, with strata.
        edges: lower ends of the bins; the last one is open.
        options: ``draws``, ``confidence``, ``seed`` of the bootstrap.

    Returns:
        Columns ``low``, ``high``, ``domains``, ``error``, ``error_low``, ``error_high`` (per cent);
        bins without domains are absent.
    """
    number = np.searchsorted(edges, table[column], side="right") - 1
    rows = []
    for bin_number, part in table.groupby(number):
        found: Interval = share(part, **options)
        last = bin_number + 1 == len(edges)
        rows.append(
            {
                "low": edges[bin_number],
                "high": part[column].max() if last else edges[bin_number + 1],
                "domains": len(part),
                "error": 100 * (1 - found.value),
                "error_low": 100 * (1 - found.high),
                "error_high": 100 * (1 - found.low),
            }
        )
    return pd.DataFrame(rows)


def confusions(predictions: pd.DataFrame, clan_of: pd.Series) -> pd.DataFrame:
    """Wrong answers by pair of families, the most frequent first.

    Args:
        clan_of: clan by family; empty where a family is in none.

    Returns:
        Columns ``truth``, ``predicted`` (empty: no answer), ``clan`` (that both share, else empty),
        ``domains``.
    """
    wrong = predictions[predictions["truth"] != predictions["predicted"]]
    pairs = wrong.groupby(["truth", "predicted"], as_index=False).size()
    pairs = pairs.rename(columns={"size": "domains"})
    truth, said = (pairs[c].map(clan_of).fillna("") for c in ("truth", "predicted"))
    pairs.insert(2, "clan", truth.where(truth == said, ""))
    return pairs.sort_values(
        ["domains", "truth", "predicted"], ascending=[False, True, True], ignore_index=True
    )


def within_clan(predictions: pd.DataFrame, clan_of: pd.Series) -> tuple[int, int, float]:
    """Errors, errors into the right clan, and how many of these a random error would give.

    The expectation spreads each error evenly over all families but the right one.
    """
    table = confusions(predictions, clan_of)
    errors = int(table["domains"].sum())
    inside = int(table.loc[table["clan"] != "", "domains"].sum())
    sizes = clan_of[clan_of != ""].value_counts()
    siblings = table["truth"].map(clan_of).map(sizes).fillna(1) - 1
    expected = float((table["domains"] * siblings / max(1, len(clan_of) - 1)).sum())
    return errors, inside, expected
