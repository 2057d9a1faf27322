"""What a network predicts at every residue, as a few numbers per residue (figures 10–12).

One pass over the sampled windows serves every figure; probabilities are never kept. Axes: N
residues, 20 standard residues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pfamformer.analysis.networks import RESIDUE_TOKENS, Snapshot, residue_log_probabilities
from pfamformer.analysis.windows import Window, sequences_of
from pfamformer.command import log
from pfamformer.sequences.alphabet import MASK, STANDARD
from pfamformer.training.batches import read_in_order

FIRST = RESIDUE_TOKENS.start


def frequencies(counts_V: np.ndarray) -> np.ndarray:
    """Residue frequencies (20,) of token counts, one added to each so that none is zero."""
    counts = counts_V[RESIDUE_TOKENS].astype(float) + 1
    return counts / counts.sum()


def statistics(log_p_N20: Tensor, truth_N: Tensor, log_frequency_20: Tensor) -> dict[str, Tensor]:
    """Per residue: entropy and divergence (nats), confidence, prediction, loss.

    The divergence is Kullback and Leibler's D(prediction ‖ training frequencies). A network that is
    certain of residue a has the divergence −ln f(a): 2.3 for leucine, 4.3 for tryptophan.
    """
    p = log_p_N20.exp()
    best = p.max(-1)
    return {
        "entropy": -(p * log_p_N20).sum(-1),
        "divergence": (p * (log_p_N20 - log_frequency_20)).sum(-1),
        "confidence": best.values,
        "predicted": best.indices,
        "loss": -log_p_N20.gather(1, truth_N[:, None])[:, 0],
    }


def posteriors(
    snapshots: Sequence[Snapshot],
    windows: Sequence[Window],
    frequency_20: np.ndarray,
    *,
    share: float,
    budget: int,
    device: torch.device,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pass every snapshot over the windows.

    Args:
        snapshots: of one run, in order; the first and the last also read unmasked windows.
        share: of residues replaced by ``<mask>``, the same ones for every snapshot.
        budget: tokens of a batch, padding included.

    Returns:
        One row per predicted residue of the first and the last snapshot (``step``, ``masked``,
        ``protein`` as row of ``windows``, ``residue``, ``region``, then :func:`statistics`); and
        one row per snapshot and residue: the mean ``probability``, the share of ``top``
        predictions, the ``recall`` and the ``real`` share, all at masked residues.
    """
    ends = {snapshots[0].step, snapshots[-1].step}
    log_frequency = torch.from_numpy(np.log(frequency_20)).float().to(device)
    rows, course = [], []
    for snapshot in snapshots:
        model = snapshot.load().to(device)
        for masked in (True, False) if snapshot.step in ends else (True,):
            total = np.zeros((4, len(STANDARD)))
            for place, log_p, truth in _pass(model, windows, masked, share, budget, seed, device):
                found = statistics(log_p, truth, log_frequency)
                total += _sums(log_p, truth, found["predicted"])
                if snapshot.step in ends:
                    table = {name: values.cpu().numpy() for name, values in found.items()}
                    about = {"step": snapshot.step, "masked": masked, **place}
                    rows.append(pd.DataFrame({**about, "residue": truth.cpu().numpy(), **table}))
            if masked:
                course.append(_course(snapshot.step, total))
        log.info("step %d: %d residues", snapshot.step, int(total[3].sum()))
    return _compact(pd.concat(rows, ignore_index=True)), pd.concat(course, ignore_index=True)


def _pass(
    model: torch.nn.Module,
    windows: Sequence[Window],
    masked: bool,
    share: float,
    budget: int,
    seed: int,
    device: torch.device,
) -> Iterator[tuple[dict[str, np.ndarray], Tensor, Tensor]]:
    """Yield per batch where its residues are, their log-probabilities (N, 20), the truth (N,)."""
    stream = torch.Generator().manual_seed(seed)
    longest = max(len(window.tokens) for window in windows)
    for batch in read_in_order(sequences_of(windows), budget, longest):
        chosen = (batch.tokens >= FIRST) & (batch.tokens < RESIDUE_TOKENS.stop)
        inputs = batch.tokens
        if masked:
            chosen &= torch.rand(batch.tokens.shape, generator=stream) < share
            inputs = inputs.masked_fill(chosen, MASK)
        with torch.inference_mode():
            x_BLD = model.encoder(inputs.to(device))
            log_p = residue_log_probabilities(model.logits(x_BLD[chosen.to(device)]))
        row, column = (axis.numpy() for axis in chosen.nonzero(as_tuple=True))
        protein = batch.rows[row]
        region = np.array([windows[p].region[c - 1] for p, c in zip(protein, column, strict=True)])
        place = {"protein": protein, "region": region}
        yield place, log_p, (batch.tokens[chosen] - FIRST).to(device)


def _sums(log_p_N20: Tensor, truth_N: Tensor, predicted_N: Tensor) -> np.ndarray:
    """Per residue: probability, top predictions, right predictions, occurrences, (4, 20)."""
    right = predicted_N[predicted_N == truth_N]
    counts = [torch.bincount(t, minlength=len(STANDARD)) for t in (predicted_N, right, truth_N)]
    return torch.stack([log_p_N20.exp().sum(0), *counts]).double().cpu().numpy()


def _course(step: int, total: np.ndarray) -> pd.DataFrame:
    probability, top, right, occurs = total
    return pd.DataFrame(
        {
            "step": step,
            "residue": list(STANDARD),
            "probability": probability / occurs.sum(),
            "top": top / occurs.sum(),
            "recall": right / np.maximum(occurs, 1),
            "real": occurs / occurs.sum(),
        }
    )


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    small = {"residue": "uint8", "region": "uint8", "predicted": "uint8", "protein": "int32"}
    return table.astype(small | {"step": "int32"})


def read_frequencies(path: str | Path) -> np.ndarray:
    """Residue frequencies (20,) that the rule ``posteriors`` wrote, in the order of STANDARD."""
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return np.array([found[letter] for letter in STANDARD])
