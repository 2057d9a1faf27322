"""Two finished networks as a cascade: its weights, what it answers, its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pfamformer.command import log
from pfamformer.config import FinetuneSettings
from pfamformer.errors import InputError
from pfamformer.methods.combination import Fit, most_likely
from pfamformer.methods.network import load_classifier, log_probabilities
from pfamformer.model.cascade import Cascade
from pfamformer.model.chain_compiled import BLOCK
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.device import autocast
from pfamformer.training.state import save_weights

#: Share of development domains whose family must be on the list that is as long as it has to be.
LISTED = 0.99


def join(
    first: Path, second: Path, shortlist: int | None, dev: pd.DataFrame, device: torch.device
) -> tuple[Cascade, FinetuneSettings, list[str]]:
    """The cascade of two weights files, not fitted yet, with settings and families of the first.

    Args:
        shortlist: families to name; None: see :func:`needed`.
        dev: the development rows of the domain table.

    Raises:
        InputError: they do not know the same families.
    """
    naming, settings, families = load_classifier(first, device)
    scoring, _, others = load_classifier(second, device)
    if families != others:
        raise InputError(
            second, "knows other families than the network that names them",
            remedy="Train both on the same split",
        )  # fmt: skip
    if shortlist is None:
        shortlist = needed(log_probabilities(naming, settings, dev["sequence"]), dev, families)
    return Cascade(naming, scoring, shortlist).to(device).eval(), settings, families


def needed(said_NC: np.ndarray, dev: pd.DataFrame, families: Sequence[str]) -> int:
    """The list that holds the family of :data:`LISTED` of the development domains.

    Chains of :data:`BLOCK` families take as long as those of one: a multiple of it, or all.
    """
    labels = dev["family"].map({family: number for number, family in enumerate(families)})
    known = labels.notna().to_numpy()
    if not known.any():
        return len(families)
    said_NC = said_NC[known]
    truth_N1 = np.take_along_axis(said_NC, labels[known].to_numpy(dtype=int)[:, None], 1)
    rank_N = (said_NC > truth_N1).sum(1)
    longest = int(np.quantile(rank_N, LISTED, method="inverted_cdf")) + 1
    return min(len(families), -(-longest // BLOCK) * BLOCK)


def fit(
    cascade: Cascade,
    settings: FinetuneSettings,
    families: Sequence[str],
    names: tuple[str, str],
    dev: pd.DataFrame,
) -> Fit:
    """Set the weights of both networks to the likeliest ones on the development part.

    Args:
        names: of both networks.
        dev: its rows of the domain table.
    """
    classes_NK, evidence_NK2 = listed(cascade, settings, dev["sequence"].tolist())
    label = {family: number for number, family in enumerate(families)}
    truth_N = dev["family"].map(label).fillna(-1).to_numpy()
    right_NK = classes_NK == truth_N[:, None]
    # A domain whose family is not listed tells nothing about the weights.
    usable_N = right_NK.any(1)
    right, X = right_NK[usable_N].ravel(), evidence_NK2[usable_N].reshape(-1, 2)
    starts = np.arange(0, len(X), classes_NK.shape[1])
    weights, loss = most_likely(X, right, starts)
    with torch.no_grad():
        cascade.weight.copy_(torch.from_numpy(weights))
    log.info("weights %s; %d of %d families listed", weights, usable_N.sum(), len(dev))
    alone = {name: most_likely(X[:, [i]], right, starts)[1] for i, name in enumerate(names)}
    return Fit(dict(zip(names, weights.tolist(), strict=True)), loss, alone, len(starts))


@torch.inference_mode()
def listed(
    cascade: Cascade, settings: FinetuneSettings, sequences: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """:meth:`Cascade.evidence` of all sequences in their order: (N, K) and (N, K, 2)."""
    device = cascade.weight.device
    rows = InMemory([encode(s) for s in sequences])
    order, classes, evidence = [], [], []
    with autocast(settings.precision, device):
        for batch in read_in_order(rows, settings.tokens_per_batch, settings.max_length):
            named, said, _ = cascade.evidence(batch.tokens.to(device))
            order.append(batch.rows)
            classes.append(named.cpu().numpy())
            evidence.append(said.double().cpu().numpy())
    back = np.concatenate(order).argsort()
    return np.concatenate(classes)[back], np.concatenate(evidence)[back]


def save(path: Path, cascade: Cascade, first: Path, second: Path) -> None:
    """Write the cascade as one weights file, which ``load_classifier`` reads."""
    members = [description(first), description(second)]
    about = {**members[0], "members": members, "shortlist": cascade.shortlist}
    save_weights(path, cascade, about)
