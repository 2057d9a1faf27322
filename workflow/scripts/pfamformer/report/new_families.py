"""Families that a network was not trained on, recognised from a few sequences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pfamformer.report.items import Column, Item


def make_table(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per run and number of sequences.

    Args:
        found: by run, the table of :func:`pfamformer.methods.new_families.recognise`.

    Returns:
        Its columns behind ``run`` and ``represented`` (words for ``shots``).
    """
    table = pd.concat([rows.assign(run=run) for run, rows in found.items()], ignore_index=True)
    words = table["shots"].map(lambda n: "all training domains" if n == 0 else f"{n:g}")
    table.insert(0, "represented", words)
    table.insert(0, "run", table.pop("run"))
    return table


def describe(table: pd.DataFrame) -> Item:
    """The item of the report."""
    text, findings = [], []
    for run, rows in table.groupby("run", sort=False):
        one, every = rows.iloc[0], rows.iloc[-1]
        findings.append(
            f"{run} recognises {one['accuracy']:.1f} % of the test domains of {one['families']:g} "
            f"families that it never saw from one sequence each, {every['accuracy']:.1f} % from "
            "all their training domains."
        )
        text.append(
            f"{run}: from one sequence each, {one['accuracy']:.1f} % of the {one['domains']:g} "
            f"test domains of {one['families']:g} families that the network never saw; from all "
            f"their training domains {every['accuracy']:.1f} %. The network is not trained again."
        )
    return Item(
        name="new_families",
        section="families",
        title="New families from a few sequences",
        caption="A family that was kept out of training is represented by the mean embedding of so "
        "many of its sequences, beside the means of all families that were trained on; the nearest "
        "mean by cosine is the answer. Mean and standard deviation over draws of the sequences.",
        text=text,
        numbers="new_families.tsv",
        columns=[
            Column("run", "run", "text"),
            Column("represented", "sequences", "text"),
            Column("accuracy", "accuracy, %"),
            Column("accuracy_sd", "sd"),
            Column("domains", "test domains", digits=0),
            Column("families", "new families", digits=0),
        ],
        rank=4,
        findings=findings,
    )
