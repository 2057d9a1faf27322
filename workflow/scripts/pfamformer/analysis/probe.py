"""A linear probe for secondary structure at every layer (Rives et al., PNAS 2021).

What a linear classifier reads out of the hidden state of single residues; networks are not trained.
Axes: N residues, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from pfamformer.analysis.networks import Snapshot
from pfamformer.analysis.secondary import STATES
from pfamformer.evaluation.intervals import Interval, bootstrap_ratio
from pfamformer.sequences.alphabet import CLS, EOS, encode

#: Inverse strength of the L2 penalty. Weak data (hundreds of residues) against up to thousands of
#: dimensions: stronger than scikit-learn's default of 1.
STRENGTH = 0.01
#: Chains that are left out one at a time; more are divided by the table's parts.
MOST_LEFT_OUT = 10
#: Residues the classifier is fitted on at most: more change its accuracy by less than the interval.
MOST_FITTED = 50_000


@dataclass(frozen=True)
class Labelled:
    """Residues with a known state.

    Attributes:
        tokens: residue tokens of each chain.
        kept: which residues of each chain have a state.
        state: number of the state of all kept residues, chain after chain (N,).
        chain: their chain (N,).
        part: ``train`` or another part of each chain.
    """

    tokens: list[np.ndarray]
    kept: list[np.ndarray]
    state: np.ndarray
    chain: np.ndarray
    part: list[str]


def labelled(task: pd.DataFrame, most: int, max_length: int) -> Labelled:
    """The chains of a ``task`` table with a state per residue, at most ``most`` of each part."""
    task = task[task["sequence"].str.len() <= max_length].groupby("part").head(most)
    kept = [np.array([letter in STATES for letter in label]) for label in task["label"]]
    state = [
        [STATES.index(letter) for letter in label if letter in STATES] for label in task["label"]
    ]
    return Labelled(
        [encode(sequence) for sequence in task["sequence"]],
        kept,
        np.concatenate(state),
        np.repeat(np.arange(len(task)), [len(s) for s in state]),
        task["part"].tolist(),
    )


def hidden_states(snapshot: Snapshot, data: Labelled, device: torch.device) -> list[np.ndarray]:
    """Hidden states of the kept residues: the embedding, then every layer, (N, D) each."""
    encoder = snapshot.load().encoder.to(device)
    layers: list[list[np.ndarray]] = []
    for tokens, kept in zip(data.tokens, data.kept, strict=True):
        batch = torch.tensor([[CLS, *tokens, EOS]], device=device)
        with torch.inference_mode():
            for number, x_BLD in enumerate(encoder.hidden_states(batch)):
                if number == len(layers):
                    layers.append([])
                layers[number].append(x_BLD[0, 1:-1].float().cpu().numpy()[kept])
    return [np.concatenate(layer) for layer in layers]


def divisions(data: Labelled) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which residues are fitted and judged: by part where there are parts, else chain by chain."""
    part = np.array(data.part)[data.chain]
    if "train" in data.part and len(set(data.part)) > 1:
        judged = part == ("test" if "test" in data.part else part[part != "train"][0])
        yield part == "train", judged
    else:
        for chain in range(min(len(data.tokens), MOST_LEFT_OUT)):
            yield data.chain != chain, data.chain == chain


def right_predictions(x_ND: np.ndarray, data: Labelled, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the probe is right at each judged residue, and the residue's chain."""
    right, chain = [], []
    for fitted, judged in divisions(data):
        rows = np.flatnonzero(fitted)
        if len(rows) > MOST_FITTED:
            rows = np.random.default_rng(seed).choice(rows, MOST_FITTED, replace=False)
        mean, sd = x_ND[rows].mean(0), x_ND[rows].std(0) + 1e-6
        model = LogisticRegression(C=STRENGTH, max_iter=200)
        model.fit((x_ND[rows] - mean) / sd, data.state[rows])
        right.append(model.predict((x_ND[judged] - mean) / sd) == data.state[judged])
        chain.append(data.chain[judged])
    return np.concatenate(right), np.concatenate(chain)


def one_hot(data: Labelled) -> np.ndarray:
    """The residue itself as features (N, 33): what a probe reads without any network."""
    tokens = np.concatenate([t[k] for t, k in zip(data.tokens, data.kept, strict=True)])
    return np.eye(33)[tokens]


def accuracy(
    right_N: np.ndarray, chain_N: np.ndarray, draws: int, confidence: float, seed: int
) -> Interval:
    """Share of right residues, with an interval over chains."""
    sums = np.array([right_N[chain_N == c].sum() for c in np.unique(chain_N)])
    counts = np.array([(chain_N == c).sum() for c in np.unique(chain_N)])
    return bootstrap_ratio(sums, counts, draws, confidence, np.random.default_rng(seed))


def probe(
    networks: Sequence[tuple[str, Snapshot]],
    data: Labelled,
    *,
    draws: int,
    confidence: float,
    seed: int,
    device: torch.device,
) -> pd.DataFrame:
    """Accuracy of the probe per network and layer, beside two controls.

    Columns ``network``, ``layer`` (0: input embedding), ``accuracy`` with interval, ``residues``.
    Controls: ``residue alone`` and ``most frequent state``.
    """
    rows = []

    def add(network: str, layer: int, right_N: np.ndarray, chain_N: np.ndarray) -> None:
        found = accuracy(right_N, chain_N, draws, confidence, seed)
        rows.append([network, layer, found.value, found.low, found.high, len(right_N)])

    add("residue alone", 0, *right_predictions(one_hot(data), data, seed))
    right, chain = [], []
    for fitted, judged in divisions(data):
        most = np.bincount(data.state[fitted]).argmax()
        right.append(data.state[judged] == most)
        chain.append(data.chain[judged])
    add("most frequent state", 0, np.concatenate(right), np.concatenate(chain))
    for network, snapshot in networks:
        for layer, x_ND in enumerate(hidden_states(snapshot, data, device)):
            add(network, layer, *right_predictions(x_ND, data, seed))
    columns = ["network", "layer", "accuracy", "accuracy_low", "accuracy_high", "residues"]
    return pd.DataFrame(rows, columns=columns)
