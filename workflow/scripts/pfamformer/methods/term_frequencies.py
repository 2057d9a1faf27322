"""The naive baseline: every protein gets the terms of its ontology at their training frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pfamformer.methods import FREQUENCIES
from pfamformer.methods.calls import LOWEST_SCORE, term_calls
from pfamformer.tasks.go import GoTask


def predict(task: GoTask, proteins: Sequence[str], run: str) -> pd.DataFrame:
    """The ``calls`` table for these proteins.

    The score of a term is the share of the proteins annotated in its ontology that have it.
    """
    rows = task.annotations
    train = rows[(rows["part"] == "train") & ~rows["negative"]]
    annotated = train.groupby("ontology")["protein"].nunique()
    terms = task.terms[task.terms["train_proteins"] > 0]
    scores = (terms["train_proteins"] / terms["ontology"].map(annotated)).to_numpy()
    frequent = scores >= LOWEST_SCORE  # what is rarer is never called: make no rows of it
    names, scores = terms["term"].to_numpy()[frequent], scores[frequent]
    return term_calls(
        np.repeat(np.asarray(proteins, dtype=object), len(names)),
        np.tile(names, len(proteins)),
        np.tile(scores, len(proteins)),
        FREQUENCIES,
        run,
    )
