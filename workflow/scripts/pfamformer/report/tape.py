"""TAPE's tasks with states of residues or values of proteins."""

from __future__ import annotations

import pandas as pd

from pfamformer.evaluation.tasks import ACCURACY
from pfamformer.report.items import Column, Item


def describe(table: pd.DataFrame) -> Item:
    """The item of the report, from rows of :data:`pfamformer.evaluation.tasks.COLUMNS`."""
    text = []
    for (task, part), rows in table.groupby(["task", "part"], sort=False):
        best = rows.loc[rows["value"].idxmax()]
        beside = (
            f", the commonest training state {best['baseline']:.1f}"
            if best["metric"] == ACCURACY
            else ""
        )
        text.append(
            f"{task.replace('_', ' ').capitalize()}, {part}: {best['value']:.3g} "
            f"({best['metric']}; {best['run']}, {best['rows']:,} proteins){beside}."
        )
    return Item(
        name="tape",
        section="function",
        title="Other tasks of TAPE",
        caption="Secondary structure: residues that get their state, in per cent; fluorescence and "
        "stability: rank correlation. Intervals by bootstrap over proteins.",
        text=text,
        numbers="tape.tsv",
        columns=[
            Column("task", "Task", "text"),
            Column("part", "Part", "text"),
            Column("run", "Run", "text"),
            Column("rows", "Proteins", digits=0),
            Column("metric", "Metric", "text"),
            Column("value", "Value", "interval", 2),
            Column("baseline", "Commonest state", digits=1),
        ],
        rank=9,
    )
