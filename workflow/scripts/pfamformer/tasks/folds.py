"""Remote homology as a domain table with a split, so that every classifier of domains reads it.

The label of a domain is its fold (TAPE: Rao et al. 2019; DeepSF: Hou et al. 2018). All held-out
parts together are the test part; each row keeps its own beside it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.errors import InputError
from pfamformer.families.domains import domain_id

#: Holdouts by part of the ``task`` table, in the order of their difficulty.
HOLDOUTS = {
    "test_fold": "fold",
    "test_superfamily": "superfamily",
    "test_family": "family",
    "test": "superfamily-disjoint test",
}


def domains_of_task(task: pd.DataFrame, path: str | Path = "task") -> pd.DataFrame:
    """The ``domains`` table of a task, in its order: each domain is a protein of its own.

    Raises:
        InputError: no label, or no part to learn from or to be judged on.
    """
    for part in ("train", "dev", "test"):
        if not task["part"].str.startswith(part).any():
            raise InputError(path, f"no domain in part {part}", remedy="Is this remote homology?")
    if (task["label"] == "").any():
        row = task.loc[task["label"] == "", "id"].iloc[0]
        raise InputError(path, "a domain without a fold", record=row)
    # A number keeps names apart that differ in signs only; row names hold no slash.
    names = [f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{i}.1" for i, name in enumerate(task["id"], 1)]
    lengths = task["sequence"].str.len().tolist()
    return pd.DataFrame(
        {
            "id": [
                domain_id(fold, name, 1, length)
                for fold, name, length in zip(task["label"], names, lengths, strict=True)
            ],
            "protein": names,
            "start": 1,
            "end": lengths,
            "family": task["label"].to_numpy(),
            "clan": "",
            "sequence": task["sequence"].to_numpy(),
        }
    )


def split_of_task(task: pd.DataFrame, domains: pd.DataFrame) -> pd.DataFrame:
    """The ``split`` table: train, dev, and every holdout as test. Similarity is not looked at."""
    part = task["part"].where(~task["part"].str.startswith("test"), "test")
    return pd.DataFrame(
        {
            "id": domains["id"],
            "family": domains["family"],
            "component": range(len(domains)),
            "part": part.to_numpy(),
            "nearest_train_identity": np.nan,
        }
    )
