"""Table 7: ancestors of called terms that are called too, with and without the ontology inside."""

from __future__ import annotations

import pandas as pd

from pfamformer.report.items import Column, Item
from pfamformer.report.published import TABLE_7

COLUMNS = ["ontology", "method", "run", "threshold", "terms", "share", "complete", "published"]
NAMES = {"mfo": "MFO", "bpo": "BPO", "cco": "CCO"}


def published(ontology: str, threshold: float) -> float | None:
    """What the study reports, per cent; it has no number for each ontology at 0.5."""
    return TABLE_7[ontology].get(threshold)


def describe(table: pd.DataFrame, fmax: pd.DataFrame) -> Item:
    """The item of the report.

    Args:
        table: columns :data:`COLUMNS`, shares in per cent.
        fmax: the numbers of item ``go_baselines``.
    """
    lowest = table.groupby("method", sort=False)["share"].min()
    text = [
        "Lowest share of ancestors called, at any threshold and in any ontology: "
        + "; ".join(f"{value:.2f} % ({method})" for method, value in lowest.dropna().items())
        + "."
        + _silent(table),
        "With the ontology inside, the network predicts each term given all of its parents; a "
        "term's probability is the product along all its ancestors, so a parent is never less "
        "likely than its child.",
        _cost(fmax, list(dict.fromkeys(table["run"]))),
    ]
    return Item(
        name="table_7",
        section="function",
        title="Table 7: ancestors of predicted terms",
        caption="Of the ancestors of each term that is called at a threshold (roots left out), the "
        "share that is called as well, in per cent: mean over all called terms of the test "
        "proteins, and the share of terms with all their ancestors.",
        text=[paragraph for paragraph in text if paragraph],
        published="In the study at 0.9: MFO 85.95, BPO 85.21, CCO 81.80 %; at 0.2: 97.07, 96.79, "
        "96.73 %; its text speaks of about 99 % at 0.5. Its network says every term by itself.",
        numbers="table_7.tsv",
        columns=[
            Column("ontology", "Ontology", "text"),
            Column("method", "Method", "text"),
            Column("run", "Run", "text"),
            Column("threshold", "Threshold", digits=1),
            Column("terms", "Terms called", digits=0),
            Column("share", "Ancestors called, %", digits=2),
            Column("complete", "Terms with all, %", digits=2),
            Column("published", "Published, %", digits=2),
        ],
        rank=7.5,
        findings=[
            "Called terms have their ancestors called too (table 7), at the worst threshold and "
            "in the worst ontology: "
            + "; ".join(f"{value:.1f} % ({method})" for method, value in lowest.dropna().items())
            + "."
        ]
        if lowest.notna().any()
        else [],
    )


def _cost(fmax: pd.DataFrame, runs: list[str]) -> str:
    """Fmax of the networks beside each other: what the ontology costs or brings."""
    rows = fmax[fmax["run"].isin(runs) & fmax["method"].str.startswith("network, ")]
    if rows["run"].nunique() < 2:
        return ""
    said = [
        f"{NAMES[name]} "
        + ", ".join(
            f"{r.fmax:.3f} ({r.method.removeprefix('network, ')})" for r in found.itertuples()
        )
        for name, found in rows.groupby("ontology", sort=False)
    ]
    return "Fmax of these networks: " + "; ".join(said) + "."


def _silent(table: pd.DataFrame) -> str:
    """A sentence more on where no network calls anything, so that nothing is shown."""
    most = table.groupby(["threshold", "ontology"], sort=False)["terms"].max()
    silent = most[most == 0].reset_index().groupby("threshold")["ontology"].agg(", ".join)
    said = "; ".join(f"{threshold:.1f} in {names}" for threshold, names in silent.items())
    return f" No network calls a term at {said}." if said else ""
