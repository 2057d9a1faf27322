"""What the input embedding says about residues (study, figures 7 and 8).

Axes: R the 20 residues in BLOSUM62's order, D the width.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.manifold import TSNE

#: Neighbours that both projections look at: a quarter of 20 residues, where the defaults (30, 15)
#: would be all of them.
NEIGHBOURS = 5


def similarity_matrices(x_RD: np.ndarray) -> dict[str, np.ndarray]:
    """Euclidean distance, dot product and cosine similarity of all pairs, each (R, R)."""
    dot = x_RD @ x_RD.T
    norm = np.linalg.norm(x_RD, axis=1)
    return {
        "Euclidean distance": np.linalg.norm(x_RD[:, None] - x_RD[None], axis=-1),
        "dot product": dot,
        "cosine similarity": dot / np.outer(norm, norm),
    }


@dataclass(frozen=True)
class Mantel:
    """Spearman correlation of two matrices off their diagonals, and a permutation p-value."""

    correlation: float
    p: float


def mantel(a_RR: np.ndarray, b_RR: np.ndarray, *, draws: int, seed: int) -> Mantel:
    """Mantel's test of two symmetric matrices, two-sided, on ranks.

    Rows and columns of one matrix are permuted together, because entries of a row depend on each
    other. Source: Mantel, Cancer Research 27 (1967); p counts the observed order as one of them.
    """
    upper = np.triu_indices(len(a_RR), 1)
    ranks_a = _standardised(rankdata(a_RR[upper]))
    ranks_b = np.zeros_like(b_RR, dtype=float)
    ranks_b[upper] = _standardised(rankdata(b_RR[upper]))
    ranks_b += ranks_b.T
    observed = float(ranks_a @ ranks_b[upper])
    stream = np.random.default_rng(seed)
    as_extreme = 1
    for _ in range(draws):
        order = stream.permutation(len(b_RR))
        drawn = ranks_a @ ranks_b[np.ix_(order, order)][upper]
        as_extreme += abs(drawn) >= abs(observed) - 1e-12
    return Mantel(observed, as_extreme / (draws + 1))


def _standardised(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    return centred / np.linalg.norm(centred)


def project(x_RD: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The residues in two dimensions by t-SNE and by UMAP, each (R, 2), on cosine distance."""
    # UMAP compiles on import, which takes longer than everything else here.
    import umap

    unit = x_RD / np.linalg.norm(x_RD, axis=1, keepdims=True)
    tsne = TSNE(perplexity=NEIGHBOURS, init="pca", random_state=seed, method="exact")
    with warnings.catch_warnings():
        # A seed makes UMAP use one thread, which it says as a warning.
        warnings.filterwarnings("ignore", message="n_jobs value")
        flat = umap.UMAP(n_neighbors=NEIGHBOURS, random_state=seed, n_jobs=1).fit_transform(unit)
    return {"t-SNE": tsne.fit_transform(unit), "UMAP": flat}


def silhouette(x_RD: np.ndarray, labels: list, *, draws: int, seed: int) -> tuple[float, float]:
    """Mean silhouette on cosine distance, and the share of shuffled labels that reach it.

    Source: Rousseeuw, J. Comput. Appl. Math. 20 (1987).
    """
    norm = np.linalg.norm(x_RD, axis=1)
    distance = np.clip(1 - (x_RD @ x_RD.T) / np.outer(norm, norm), 0, None)
    np.fill_diagonal(distance, 0)
    _, codes = np.unique(labels, return_inverse=True)
    stream = np.random.default_rng(seed)
    observed = mean_silhouette(distance, codes)
    as_good = 1 + sum(
        mean_silhouette(distance, stream.permutation(codes)) >= observed - 1e-12
        for _ in range(draws)
    )
    return observed, as_good / (draws + 1)


def mean_silhouette(distance_NN: np.ndarray, labels_N: np.ndarray) -> float:
    """Mean silhouette of labels 0…k−1 on a distance matrix.

    What scikit-learn computes, without its checks of the input, which take most of the time when
    thousands of permutations of 20 residues are judged.
    """
    member = np.eye(labels_N.max() + 1)[labels_N]
    sizes = member.sum(0)
    sums = distance_NN @ member
    own = sums[np.arange(len(labels_N)), labels_N]
    alone = sizes[labels_N] == 1
    inside = own / np.maximum(sizes[labels_N] - 1, 1)
    between = np.where(member.astype(bool), np.inf, sums / np.maximum(sizes, 1)).min(1)
    widths = (between - inside) / np.maximum(np.maximum(inside, between), 1e-300)
    return float(np.where(alone, 0.0, widths).mean())
