"""Families that a network has not been trained on, represented by a few sequences.

The network is not trained again: a new family is the mean of the embeddings of 1, 2 or 5 of its
training domains, beside the means of the families that the network knows (Bileschi et al. 2022).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pfamformer.methods.embedding import class_means, cosine

#: Sequences that represent a new family.
SHOTS = (1, 2, 5)
# Draws of the representatives: enough for a standard deviation, seconds of work.
DRAWS = 20
COLUMNS = ["shots", "draws", "domains", "families", "accuracy", "accuracy_sd"]


def known_and_new(families: pd.Series, share: float, seed: int) -> tuple[list[str], list[str]]:
    """Families to train on and families to keep away, both sorted; drawn from the seed."""
    names = sorted(families.unique())
    count = round(share * len(names))
    stream = np.random.default_rng([seed, 5])
    new = set(np.array(names)[stream.permutation(len(names))[:count]].tolist())
    return [n for n in names if n not in new], sorted(new)


def recognise(
    vectors: np.ndarray, domains: pd.DataFrame, part: pd.Series, new: list[str], seed: int
) -> pd.DataFrame:
    """Accuracy on test domains of new families among *all* families, by number of sequences.

    Args:
        vectors: embedding of every row of ``domains``, shape (domains, width).
        domains: columns ``id`` and ``family``.
        part: part of every row.
        new: families that the network has not seen.

    Returns:
        Empty without new families, else columns ``shots`` (0: all training domains), ``draws``,
        ``domains``, ``families``, ``accuracy``, ``accuracy_sd`` (per cent; sd over draws).
    """
    if not new:
        return pd.DataFrame(columns=COLUMNS)
    train, test = (part == "train").to_numpy(), (part == "test").to_numpy()
    family = domains["family"].to_numpy()
    asked = test & np.isin(family, new)
    names, means = class_means(vectors[train], family[train])
    rows = []
    for shots in (*SHOTS, 0):
        found = []
        for draw in range(DRAWS if shots else 1):
            stream = np.random.default_rng([seed, shots, draw])
            centres = means.copy()
            for name in new if shots else []:
                members = np.flatnonzero(train & (family == name))
                chosen = stream.permutation(members)[:shots]
                centres[names.index(name)] = class_means(vectors[chosen], family[chosen])[1][0]
            best = cosine(vectors[asked], centres).argmax(1)
            found.append(100 * float(np.mean(np.array(names)[best] == family[asked])))
        rows.append(
            {
                "shots": shots,
                "draws": len(found),
                "domains": int(asked.sum()),
                "families": len(set(family[asked])),
                "accuracy": float(np.mean(found)),
                "accuracy_sd": float(np.std(found, ddof=1)) if len(found) > 1 else float("nan"),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)
