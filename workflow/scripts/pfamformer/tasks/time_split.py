"""Train before a date, test on what became known after it, as CAFA does.

A test protein of an ontology has annotations there from the test date on and none before. With *no
knowledge* it had none in any ontology before that date; with *limited knowledge* it had some in
another one (Jiang et al., Genome Biology 17:184, 2016). The dev part is made the same way from the
time before: an earlier date plays the test date.

A GAF file gives the date of an annotation's last change, so a fact may be older than it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from pfamformer.tasks.ontology import Ontology

Knowledge = Literal["none", "limited", "none or limited"]
#: Said of almost every protein that was ever tested for partners: a protein with nothing else in
#: molecular function is not a test protein (CAFA2 and CAFA3 leave it out as well).
UNINFORMATIVE = "GO:0005515"


@dataclass(frozen=True)
class Dates:
    """When dev and test begin; annotations from ``end`` on do not exist yet (None: all do)."""

    dev: date
    test: date
    end: date | None = None


def split_by_date(
    rows: pd.DataFrame, dates: Dates, ontology: Ontology, knowledge: Knowledge
) -> pd.DataFrame:
    """Assign annotations to parts.

    Args:
        rows: columns ``protein``, ``term``, ``ontology``, ``date``, ``negative``.

    Returns:
        The rows that belong to a part, with ``part``: train, dev or test. A protein has one part in
        an ontology. Left out: facts from the test date on about proteins that are not tested.
    """
    if dates.end is not None:
        rows = rows[rows["date"] < _number(dates.end)]
    positive = rows[~rows["negative"]]
    test, dev = _number(dates.test), _number(dates.dev)
    keys = pd.MultiIndex.from_frame(rows[["protein", "ontology"]])
    before = (rows["date"] < test).to_numpy()
    of_test = keys.isin(_newly_known(positive, test, None, ontology, knowledge))
    of_dev = keys.isin(_newly_known(positive, dev, test, ontology, knowledge))
    # A test protein has no positive row before the test date; a negation counts at any time.
    part = np.select([of_test, of_dev & before, before], ["test", "dev", "train"], "")
    return rows.assign(part=part)[part != ""].reset_index(drop=True)


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _known(positive: pd.DataFrame, day: int) -> pd.MultiIndex:
    """(protein, ontology) with an annotation before ``day``."""
    before = positive[positive["date"] < day]
    return pd.MultiIndex.from_frame(before[["protein", "ontology"]].drop_duplicates())


def _newly_known(
    positive: pd.DataFrame, start: int, end: int | None, ontology: Ontology, knowledge: Knowledge
) -> pd.MultiIndex:
    """(protein, ontology) first annotated in the period, with something that can be judged."""
    known = _known(positive, start)
    inside = positive[positive["date"] >= start]
    if end is not None:
        inside = inside[inside["date"] < end]
    trivial = ontology.ancestors.get(UNINFORMATIVE, frozenset()) | ontology.roots
    inside = inside[~inside["term"].isin(trivial)]
    found = inside[["protein", "ontology"]].drop_duplicates()
    found = found[~pd.MultiIndex.from_frame(found).isin(known)]
    elsewhere = found["protein"].isin(known.get_level_values("protein"))
    if knowledge != "none or limited":
        found = found[elsewhere if knowledge == "limited" else ~elsewhere]
    return pd.MultiIndex.from_frame(found)
