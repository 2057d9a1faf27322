"""TAPE's tasks with states of residues, contacts or values of proteins."""

from __future__ import annotations

import pandas as pd

from pfamformer.evaluation.tasks import ACCURACY
from pfamformer.report.items import Column, Item

#: What the baseline is, where it is not chance.
BASELINE = {ACCURACY: "the commonest training state"}


def describe(table: pd.DataFrame) -> Item:
    """The item of the report, from rows of :data:`pfamformer.evaluation.tasks.COLUMNS`."""
    text = []
    for (task, part, metric), rows in table.groupby(["task", "part", "metric"], sort=False):
        best = rows.loc[rows["value"].idxmax()]
        beside = f", {BASELINE.get(metric, 'by chance')} {best['baseline']:.1f}"
        beside = beside if pd.notna(best["baseline"]) else ""
        text.append(
            f"{task.replace('_', ' ').capitalize()}, {part}: {best['value']:.3g} "
            f"({best['metric']}; {best['run']}, {best['rows']:,} proteins){beside}."
        )
    return Item(
        name="tape",
        section="function",
        title="Other tasks of TAPE",
        caption="Secondary structure: residues that get their state, in per cent, beside the "
        "commonest training state. Contacts (proteinnet): share of contacts among the L/5 pairs "
        "that a network scores best, mean over proteins of L residues, beside that of all pairs. "
        "Fluorescence and stability: rank correlation. Intervals by bootstrap over proteins.",
        text=text,
        numbers="tape.tsv",
        columns=[
            Column("task", "Task", "text"),
            Column("part", "Part", "text"),
            Column("run", "Run", "text"),
            Column("rows", "Proteins", digits=0),
            Column("metric", "Metric", "text"),
            Column("value", "Value", "interval", 2),
            Column("baseline", "Baseline", digits=1),
        ],
        rank=9,
    )
