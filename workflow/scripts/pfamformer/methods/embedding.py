"""Neighbours in embedding space: per family (nearest mean) and per instance (nearest domain).

Similarity is the cosine, as in Bileschi et al. 2022.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pfamformer.methods.outputs import long_scores

# Held-out domains compared with all training domains at once: 1 GB with a million of these.
CHUNK = 256


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows, shape (len(one), len(other))."""
    return unit(one) @ unit(other).T


def class_means(vectors: np.ndarray, family: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Sorted families, and the mean of the unit vectors of each: (families, width)."""
    names, number = np.unique(family.astype(str), return_inverse=True)
    means = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
    np.add.at(means, number, unit(vectors))
    return names.tolist(), means / np.bincount(number)[:, None]


def per_family(
    queries: pd.DataFrame, vectors: np.ndarray, training: np.ndarray, family: np.ndarray, limit: int
) -> pd.DataFrame:
    """Cosine to the mean of each family: columns ``id``, ``family``, ``score``.

    Args:
        queries: column ``id``.
        vectors: their embeddings.
        training, family: embeddings and families of the training domains.
        limit: families kept of each query.
    """
    names, means = class_means(training, family)
    return long_scores(queries, cosine(vectors, means), names, limit)


def per_instance(
    queries: pd.DataFrame, vectors: np.ndarray, training: np.ndarray, family: np.ndarray, limit: int
) -> pd.DataFrame:
    """The highest cosine to a training domain of each family; as :func:`per_family` otherwise."""
    order = np.argsort(family.astype(str), kind="stable")
    names, starts = np.unique(family[order].astype(str), return_index=True)
    sorted_units = unit(training[order])
    found = []
    for start in range(0, len(queries), CHUNK):
        part = slice(start, start + CHUNK)
        near = np.maximum.reduceat(unit(vectors[part]) @ sorted_units.T, starts, axis=1)
        found.append(long_scores(queries.iloc[part], near, names.tolist(), limit))
    return pd.concat(found, ignore_index=True)
