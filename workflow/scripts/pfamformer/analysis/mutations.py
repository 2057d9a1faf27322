"""What a classifier says when one residue of a domain is another: an in-silico mutation scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import rel_entr
from scipy.stats import spearmanr

from pfamformer.config import FinetuneSettings
from pfamformer.methods.network import log_probabilities
from pfamformer.model.classifier import Classifier
from pfamformer.sequences.alphabet import STANDARD

# Scanned domains are short enough to read a heat map of, and long enough to have a pattern.
SHORTEST, LONGEST = 30, 120
# Training domains from which on conservation is known well enough.
MANY = 50


def choose(predictions: pd.DataFrame, split: pd.DataFrame, domains: pd.DataFrame) -> str | None:
    """The scanned domain: a test domain of 30 to 120 residues whose family was told right.

    Where none is both, right counts more than length. Of these one of a family with many training
    domains, whose conservation is known, and the one that the network is least sure of: a sure
    answer hardly changes. None without any test domain.
    """
    size = split.loc[split["part"] == "train", "family"].value_counts()
    length = predictions["id"].map(domains.set_index("id")["sequence"].str.len())
    ordered = predictions.assign(
        right=predictions["predicted"] == predictions["truth"],
        fits=length.between(SHORTEST, LONGEST),
        size=predictions["truth"].map(size).fillna(0).clip(upper=MANY),
    ).sort_values(
        ["right", "fits", "size", "score", "id"], ascending=[False, False, False, True, True]
    )
    return None if ordered.empty else str(ordered["id"].iloc[0])


def scan(model: Classifier, settings: FinetuneSettings, sequence: str) -> np.ndarray:
    """Change of the answer with every single substitution.

    Returns:
        Kullback-Leibler divergence of the mutant's family probabilities from those of the sequence
        itself, nats, shape (residues, 20), residues in the order of :data:`STANDARD`.
    """
    mutants = [
        sequence[:place] + letter + sequence[place + 1 :]
        for place in range(len(sequence))
        for letter in STANDARD
    ]
    found = np.exp(log_probabilities(model, settings, [sequence, *mutants]).astype(float))
    found /= found.sum(1, keepdims=True)
    return rel_entr(found[0], found[1:]).sum(1).reshape(len(sequence), len(STANDARD))


def conservation(aligned: Sequence[str], row: int) -> np.ndarray:
    """Information of the alignment's column at each residue of one of its rows, bits.

    Relative entropy of the column's residues against those of the whole alignment; gaps are left
    out.

    Args:
        aligned: rows of equal width; ``.`` and ``-`` are gaps.
    """
    letters = np.array([list(text.upper()) for text in aligned])
    counts = np.stack([(letters == letter).sum(0) for letter in STANDARD]).astype(float)
    background = counts.sum(1) / counts.sum()
    share = counts / np.maximum(counts.sum(0), 1)
    bits = rel_entr(share, background[:, None]).sum(0) / np.log(2)
    return bits[~np.isin(letters[row], [".", "-"])]


def agreement(change: np.ndarray, bits: np.ndarray) -> tuple[float, float]:
    """Spearman's rho of the mean change at each residue with its conservation, and its p-value."""
    found = spearmanr(change.mean(1), bits)
    return float(found.statistic), float(found.pvalue)
