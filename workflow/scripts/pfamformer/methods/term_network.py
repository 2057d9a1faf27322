"""GO terms by a network, and by proteins that are near in its embedding space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from pfamformer.config import NetworkSettings, TermsSettings
from pfamformer.methods.calls import LOWEST_SCORE, term_calls
from pfamformer.methods.embedding import CHUNK, unit
from pfamformer.model.terms import TermClassifier, exact_shares, log_probabilities
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import encode
from pfamformer.tasks.go import GoTask
from pfamformer.training.batches import Batch, InMemory
from pfamformer.training.device import autocast
from pfamformer.training.reading import read

EMBEDDING = "nearest embeddings"
#: Training proteins that vote for a protein: as many as a term needs to be predicted in the demo.
NEAREST = 20


def method_name(settings: TermsSettings) -> str:
    """How tables call a run."""
    return "network, ontology built in" if settings.ontology else "network, independent terms"


def training_proteins(task: GoTask, settings: TermsSettings) -> pd.DataFrame:
    """The proteins that a run trains on: ``protein``, ``sequence``."""
    rows = task.annotations
    known = set(rows.loc[(rows["part"] == "train") & ~rows["negative"], "protein"])
    table = task.proteins[task.proteins["protein"].isin(known)].reset_index(drop=True)
    most = settings.max_proteins
    if most is None or len(table) <= most:
        return table
    chosen = np.random.default_rng(settings.seed).choice(len(table), size=most, replace=False)
    return table.iloc[np.sort(chosen)].reset_index(drop=True)


def load(path: str | Path, device: torch.device) -> tuple[TermClassifier, TermsSettings]:
    """A trained network from its weights file, and its settings."""
    about, tensors = description(path), load_file(path)
    settings = TermsSettings.model_validate(about["run"])
    network = about["network"] and NetworkSettings.model_validate(about["network"])
    model = TermClassifier(network, tensors["log_odds"], settings)
    model.load_state_dict(tensors)
    return model.to(device).eval(), settings


def predict(
    model: TermClassifier,
    settings: TermsSettings,
    closure_TT: torch.Tensor,
    terms: Sequence[str],
    proteins: pd.DataFrame,
    run: str,
) -> Iterator[pd.DataFrame]:
    """Pieces of the ``calls`` table, one for each batch of proteins.

    Args:
        closure_TT: as :func:`pfamformer.model.terms.log_probabilities` takes it.
        proteins: columns ``protein`` and ``sequence``.
    """
    device = next(model.parameters()).device
    names, labels = proteins["protein"].to_numpy(), np.asarray(terms, dtype=object)
    rows = InMemory([encode(s) for s in proteins["sequence"]])
    method = method_name(settings)
    model.eval()

    def logits_of(batch: Batch) -> torch.Tensor:
        with autocast(settings.precision, device):
            return model(batch.tokens)

    with torch.inference_mode():
        budget, longest = settings.tokens_per_batch, settings.max_length
        for batch, logits_BT in read(model, logits_of, rows, budget, longest):
            scores = log_probabilities(exact_shares(logits_BT), closure_TT).exp().cpu().numpy()
            b, t = np.nonzero(scores >= LOWEST_SCORE)
            yield term_calls(names[batch.rows[b]], labels[t], scores[b, t], method, run)


def nearest(
    queries: Sequence[str], vectors: np.ndarray, targets: Sequence[str], training: np.ndarray
) -> pd.DataFrame:
    """The nearest training proteins of each query, as a ``neighbours`` table.

    Vectors are compared by their cosine after the mean of the training proteins is taken away: all
    proteins share most of their embedding. ``bits`` holds the cosine, which then votes.

    Args:
        vectors, training: embeddings of the queries and of the targets.
    """
    mean = training.astype(np.float32).mean(0)
    units = unit(training.astype(np.float32) - mean)
    count = min(NEAREST + 1, len(targets))
    found = []
    for start in range(0, len(queries), CHUNK):
        part = slice(start, start + CHUNK)
        cosines = unit(vectors[part].astype(np.float32) - mean) @ units.T
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        rows = np.repeat(np.arange(len(best)), count)
        found.append(
            pd.DataFrame(
                {
                    "query": np.asarray(queries, dtype=object)[part][rows],
                    "target": np.asarray(targets, dtype=object)[best.ravel()],
                    "identity": 0.0,
                    "coverage": 0.0,
                    "bits": np.maximum(np.take_along_axis(cosines, best, 1).ravel(), 0.0),
                }
            )
        )
    table = pd.concat(found, ignore_index=True)
    # With limited knowledge a protein trains in another ontology: not as its own neighbour.
    table = table[(table["query"] != table["target"]) & (table["bits"] > 0)]
    return table[table.groupby("query").cumcount() < NEAREST].reset_index(drop=True)
