"""Rows of the ``calls`` table for whole proteins, and the submission format of CAFA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import atomic_path

#: CAFA's lowest threshold: a term below it is never counted as predicted.
LOWEST_SCORE = 0.01


def term_calls(
    proteins: Sequence[str], terms: Sequence[str], scores: np.ndarray, method: str, run: str
) -> pd.DataFrame:
    """Calls of terms on whole proteins: ``start`` and ``end`` are empty.

    Args:
        proteins, terms, scores: one entry per call, in this order; scores (0…1) below the lowest
            threshold are left out.
    """
    kept = np.asarray(scores) >= LOWEST_SCORE
    nowhere = pd.array([pd.NA] * int(kept.sum()), dtype="Int32")
    return pd.DataFrame(
        {
            "protein": np.asarray(proteins, dtype=object)[kept],
            "start": nowhere,
            "end": nowhere,
            "label": np.asarray(terms, dtype=object)[kept],
            "score": np.asarray(scores, dtype=float)[kept],
            "method": method,
            "run": run,
        }
    )


def write_submission(calls: pd.DataFrame, path: str | Path, author: str, model: int = 1) -> None:
    """Write calls as a CAFA submission: AUTHOR, MODEL, KEYWORDS, ``protein term score``, END.

    Scores have two decimals, at least 0.01 and at most 1.00, as CAFA asks.
    """
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii") as out:
        out.write(f"AUTHOR {author}\nMODEL {model}\nKEYWORDS machine learning.\n")
        rounded = calls["score"].clip(LOWEST_SCORE, 1.0)
        for row in zip(calls["protein"], calls["label"], rounded, strict=True):
            out.write("{}\t{}\t{:.2f}\n".format(*row))
        out.write("END\n")
