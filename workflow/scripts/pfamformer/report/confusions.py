"""Which families are confused, and how often the answer is at least in the right clan."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pfamformer.evaluation.strata import confusions, within_clan
from pfamformer.report.items import Column, Item
from pfamformer.report.table_3 import Entry

MOST = 5  # pairs shown of a method


def make_table(entries: Sequence[Entry], families: pd.DataFrame) -> pd.DataFrame:
    """Most frequently confused pairs of the given methods, at most :data:`MOST` of each.

    Args:
        families: the ``families`` table.

    Returns:
        Columns ``method``, ``run``, ``truth``, ``truth_name``, ``predicted``, ``predicted_name``,
        ``clan`` (shared, else empty), ``domains``.
    """
    named = families.set_index("family")
    tables = []
    for entry in entries:
        found = confusions(entry.predictions, named["clan"])
        found.insert(1, "truth_name", found["truth"].map(named["name"]))
        said = found["predicted"].map(named["name"]).fillna("(no answer)")
        found.insert(3, "predicted_name", said)
        found.insert(0, "run", entry.name)
        found.insert(0, "method", entry.method)
        tables.append(found)
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values("domains", ascending=False, kind="stable", ignore_index=True)
    return table.groupby("run", sort=False).head(MOST).reset_index(drop=True)


def describe(entries: Sequence[Entry], families: pd.DataFrame) -> Item:
    """The item of the report."""
    clan_of = families.set_index("family")["clan"]
    text, clans = [], bool((clan_of != "").any())
    if not clans:
        text.append("The families of this project carry no clans: errors cannot be sorted by them.")
    else:
        for entry in entries:
            errors, inside, expected = within_clan(entry.predictions, clan_of)
            text.append(
                f"{entry.method} ({entry.name}): {inside} of {errors} errors stay within the right "
                f"clan; errors at random would give {expected:.1f}."
            )
    return Item(
        name="confusions",
        target="family_analysis",
        section="families",
        title="Confused families",
        caption="Pairs of families that are confused on the test part, at most "
        f"{MOST} of a method, the most frequent first"
        + ("; the clan is named where both share one." if clans else "."),
        text=text,
        numbers="confusions.tsv",
        columns=[
            Column("method", "method", "text"),
            Column("run", "run", "text"),
            Column("truth_name", "family", "text"),
            Column("predicted_name", "taken for", "text"),
            *([Column("clan", "shared clan", "text")] if clans else []),
            Column("domains", "domains", digits=0),
        ],
        rank=3,
        findings=_most_confused(entries[0], families) if entries else [],
    )


def _most_confused(entry: Entry, families: pd.DataFrame) -> list[str]:
    """The most frequent confusion of a method, as a sentence; none where it makes no error."""
    named = families.set_index("family")
    found = confusions(entry.predictions, named["clan"])
    found = found[found["predicted"] != ""]
    if found.empty:
        return []
    first, name = found.iloc[0], named["name"]
    errors = int((entry.predictions["predicted"] != entry.predictions["truth"]).sum())
    return [
        f"The {entry.method} most often takes {name[first['truth']]} for "
        f"{name[first['predicted']]}: {first['domains']} of its {errors} errors."
    ]
