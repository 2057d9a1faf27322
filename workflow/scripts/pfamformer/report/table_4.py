"""Table 4: remote homology, the fold of domains whose fold, superfamily or family is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.intervals import bootstrap_ratio
from pfamformer.methods import BASELINES, FOLD_METHODS
from pfamformer.report.items import Column, Item, said
from pfamformer.report.published import TABLE_4
from pfamformer.tasks.folds import HOLDOUTS

COLUMNS = [
    "holdout", "method", "run", "domains", "folds", "seeds",
    "accuracy", "accuracy_low", "accuracy_high", "accuracy_sd", "published",
]  # fmt: skip

#: What a holdout asks, by its name in the table.
HELD_OUT = {
    "fold": "Fold holdout: no domain of the superfamily trains.",
    "superfamily": "Superfamily holdout: no domain of the family trains.",
    "family": "Family holdout: other domains of the family train.",
    "superfamily-disjoint test": "Superfamily-disjoint test: no domain of the superfamily trains, "
    "others of its fold do.",
}


def make_table(
    predictions: Sequence[pd.DataFrame],
    groups: Sequence[str],
    holdout: pd.Series,
    settings: EvaluationSettings,
    seed: int,
) -> pd.DataFrame:
    """Accuracy (per cent) of each method on each holdout, the most difficult holdout first.

    Args:
        predictions: a ``predictions`` table of every run.
        groups: the name that runs with other seeds share, for each of them.
        holdout: holdout of every test domain by id.

    Raises:
        InputError: predictions that are not those of the test domains.
    """
    rows = []
    for group in dict.fromkeys(groups):
        tables = [t for t, name in zip(predictions, groups, strict=True) if name == group]
        for table in tables:
            if len(table) != len(holdout) or set(table["id"]) != set(holdout.index):
                raise InputError(
                    group, f"{len(table)} predictions for {len(holdout)} domains",
                    remedy="Delete them and rerun",
                )  # fmt: skip
        right = pd.concat(
            [t.set_index("id")["predicted"] == t.set_index("id")["truth"] for t in tables], axis=1
        )
        truth = tables[0].set_index("id")["truth"]
        for name in HOLDOUTS.values():
            inside = holdout.index[holdout == name]
            if len(inside):
                rows.append(
                    [name, tables[0]["method"].iloc[0], group, len(inside),
                     truth[inside].nunique(), len(tables),
                     *_accuracy(right.loc[inside], truth[inside], settings, seed),
                     _published(tables[0]["method"].iloc[0], name)]
                )  # fmt: skip
    order = list(HOLDOUTS.values())
    rows.sort(key=lambda row: (order.index(row[0]), -row[COLUMNS.index("accuracy")]))
    return pd.DataFrame(rows, columns=COLUMNS)


def _accuracy(
    right: pd.DataFrame, fold: pd.Series, settings: EvaluationSettings, seed: int
) -> tuple[float, ...]:
    """Mean over seeds with its interval, and the standard deviation over seeds, per cent.

    Domains of a fold resemble each other: the interval is over folds.
    """
    mean = right.mean(axis=1).groupby(fold.to_numpy()).agg(["sum", "count"])
    found = bootstrap_ratio(
        mean["sum"].to_numpy(), mean["count"].to_numpy(), settings.bootstrap, settings.confidence,
        np.random.default_rng(seed),
    )  # fmt: skip
    deviation = right.mean().std() if right.shape[1] > 1 else np.nan
    return tuple(100 * x for x in (found.value, found.low, found.high, deviation))


def _published(method: str, holdout: str) -> float:
    return TABLE_4.get(method, np.nan) if holdout == "fold" else np.nan


def describe(table: pd.DataFrame) -> Item:
    """The item of the report."""
    text = []
    for name, rows in table.groupby("holdout", sort=False):
        best = rows.loc[rows["accuracy"].idxmax()]
        text.append(
            f"{_long(name).capitalize()}: {best['domains']:,} domains of {best['folds']:,} "
            f"folds; best {best['accuracy']:.1f} %, {best['method']} ({best['run']})."
        )
    if table.empty:
        text.append(
            "No data set of folds is configured here, so nothing was measured: it needs a task "
            "called remote_homology under tasks.tape or tasks.files, as in "
            "config/remote_homology.yaml."
        )
    holdouts = list(dict.fromkeys(table["holdout"]))
    return Item(
        name="table_4",
        section="function",
        title="Table 4: remote homology",
        caption=" ".join(
            [
                "Share of held-out domains that get their fold, in per cent, with intervals by "
                "bootstrap over folds.",
                *(HELD_OUT[name] for name in holdouts),
                "Seeds: repetitions of a training, whose standard deviation is behind ±. A network "
                "that has only the name of its head is a Transformer.",
            ]
        ),
        text=text,
        published="Fold holdout, all 1,195 folds of TAPE: the study's Transformer 20.6, TAPE's "
        "Transformer 21, ResNet 17, LSTM 26 %, all pretrained on millions of proteins. A row shows "
        "the number of the same kind of encoder, however it was trained here."
        if "fold" in holdouts
        else "",
        numbers="table_4.tsv",
        columns=[
            Column("holdout", "Holdout", "text"),
            Column("method", "Method", "text"),
            Column("run", "Run", "text"),
            Column("accuracy", "Accuracy, %", "interval", 1),
            *([Column("published", "Published, %", digits=1)] if "fold" in holdouts else []),
            Column("domains", "Domains", digits=0),
            Column("folds", "Folds", digits=0),
            Column("seeds", "Seeds", digits=0),
        ],
        rank=4,
        **_sentence(table),
    )


def _sentence(table: pd.DataFrame) -> dict[str, list[str]]:
    """What the top of the page says: whether a network leads on the most difficult holdout."""
    if table.empty:
        return {}
    rows = table[table["holdout"] == table["holdout"].iloc[0]]
    trained = ~rows["run"].isin([*BASELINES, *FOLD_METHODS])
    if trained.all() or not trained.any():
        return {}
    network, other = (
        rows[side].loc[rows[side]["accuracy"].idxmax()] for side in (trained, ~trained)
    )
    shown = (
        f"{network['accuracy']:.1f} % of domains get their fold from {network['method']}, "
        f"{other['accuracy']:.1f} % from {other['method']} (table 4, {_long(network['holdout'])})."
    )
    ahead = network["accuracy"] > other["accuracy"]
    return said(ahead, f"Remote homology: {shown}", f"No network leads in remote homology: {shown}")


def _long(holdout: str) -> str:
    """A holdout's name inside a sentence."""
    return holdout if holdout.endswith("test") else f"{holdout} holdout"
