"""Attention against residue contacts (figure 14; study, section 4.4).

Each layer's weights become counts over a grid of thresholds, for every head and for the maximum
over heads, and pair features for a regression (Rao et al., ICLR 2021); then weights are dropped.
Axes: H heads of a layer, A all heads of the network, L residues, T thresholds, P pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from pfamformer.analysis.networks import Snapshot
from pfamformer.sequences.alphabet import CLS, EOS, encode

#: Residues this far apart along the chain are "far": beyond the turn of a helix, the shortest range
#: that contact prediction is judged on.
FAR = 6
#: Long range in contact prediction.
LONG = 24
#: Attention thresholds; 0.3, the one of Vig et al. 2021, is among them.
THRESHOLDS = np.unique([*np.geomspace(1e-4, 1, 41), 0.3])
KINDS = ("near", "far", "union")


@dataclass(frozen=True)
class Structure:
    """A chain with known contacts.

    Attributes:
        tokens: residue tokens (L,).
        known: pairs of different residues that were both seen (L, L).
        contact: pairs in contact (L, L), symmetric.
    """

    name: str
    tokens: np.ndarray
    known: np.ndarray
    contact: np.ndarray

    @property
    def separation(self) -> np.ndarray:
        """|i − j| of all pairs (L, L)."""
        place = np.arange(len(self.tokens))
        return np.abs(place[:, None] - place)


def structures_of(
    task: pd.DataFrame, contacts: pd.DataFrame, *, max_length: int, most: int, seed: int
) -> list[Structure]:
    """Chains of the ``task`` and ``contacts`` tables, without those longer than allowed.

    Of a data set with parts the training part is left out; of more than ``most`` chains as many are
    drawn.
    """
    task = task[task["sequence"].str.len() <= max_length]
    if (task["part"] != "train").any():
        task = task[task["part"] != "train"]
    if len(task) > most:
        task = task.sample(most, random_state=seed).sort_index()
    pairs = dict(list(contacts[contacts["id"].isin(task["id"])].groupby("id")))
    found = []
    for row in task.itertuples():
        if row.id not in pairs:
            continue
        seen = np.array([letter == "+" for letter in row.label])
        contact = np.zeros((len(seen), len(seen)), dtype=bool)
        first, second = (pairs[row.id][c].to_numpy() - 1 for c in ("first", "second"))
        contact[first, second] = contact[second, first] = True
        known = np.outer(seen, seen) & ~np.eye(len(seen), dtype=bool)
        found.append(Structure(row.id, encode(row.sequence), known, contact))
    return found


@dataclass(frozen=True)
class Reading:
    """What the attention of one network says about one structure.

    Attributes:
        heads: pairs with attention at or above each threshold, (A, 2, 2, T): far or not, contact or
            not; ordered pairs.
        maximum: the same for the largest attention of any head, (2, 2, T).
        features: symmetrised attention with average product correction of the far pairs i < j whose
            residues were seen, (P, A) float32.
    """

    heads: np.ndarray
    maximum: np.ndarray
    features: np.ndarray


def read_attention(encoder: nn.Module, structure: Structure) -> Reading:
    """Pass a structure through an encoder, layer by layer."""
    device = next(encoder.parameters()).device
    tokens = torch.tensor([[CLS, *structure.tokens, EOS]], device=device)
    code = torch.from_numpy(_cells(structure)).to(device)
    first, second = (torch.from_numpy(axis).to(device) for axis in far_pairs(structure))
    heads, features, maximum = [], [], None
    with torch.inference_mode():
        for w_BHLL in encoder.attention_layers(tokens):
            w_HLL = w_BHLL[0, :, 1:-1, 1:-1].float()
            heads += [_counts(w_LL, code) for w_LL in w_HLL]
            features.append(_corrected(w_HLL)[:, first, second].T.cpu().numpy())
            largest = w_HLL.amax(0)
            maximum = largest if maximum is None else torch.maximum(maximum, largest)
    return Reading(np.stack(heads), _counts(maximum, code), np.concatenate(features, axis=1))


def distance_reading(structure: Structure) -> np.ndarray:
    """Counts (2, 2, T) of a control that knows the distance along the chain only: 1/|i − j|."""
    score = 1 / np.maximum(structure.separation, 1)
    return _counts(torch.from_numpy(score), torch.from_numpy(_cells(structure)))


def far_pairs(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """The pairs i < j at least :data:`FAR` apart, both seen."""
    return np.nonzero(np.triu(structure.known & (structure.separation >= FAR)))


def _cells(structure: Structure) -> np.ndarray:
    """Which count each pair belongs to: 2·far + contact; 4 for pairs that are not known."""
    cell = 2 * (structure.separation >= FAR) + structure.contact
    return np.where(structure.known, cell, 4)


def _counts(w_LL: Tensor, code_LL: Tensor) -> np.ndarray:
    thresholds = torch.from_numpy(THRESHOLDS).to(w_LL)
    # The number of thresholds that a weight reaches, then how many weights reach each.
    reached = torch.bucketize(w_LL.contiguous(), thresholds, right=True)
    size = len(THRESHOLDS) + 1
    counts = torch.bincount((code_LL * size + reached).flatten(), minlength=5 * size)
    table = counts.view(5, size)[:4, 1:].flip(-1).cumsum(-1).flip(-1)
    return table.view(2, 2, -1).cpu().numpy()


def _corrected(w_HLL: Tensor) -> Tensor:
    """Symmetrised weights minus the average product (Dunn et al. 2008), (H, L, L)."""
    s = w_HLL + w_HLL.transpose(-1, -2)
    product = s.sum(-1, keepdim=True) * s.sum(-2, keepdim=True)
    return s - product / s.sum((-1, -2), keepdim=True).clamp(min=1e-12)


def of_kind(counts: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Contacts, and pairs, at or above each threshold (…, T), among the pairs of a kind.

    ``counts`` is (…, 2, 2, T). Near pairs are less than :data:`FAR` apart, union are all pairs.
    """
    chosen = {"near": counts[..., 0, :, :], "far": counts[..., 1, :, :]}
    table = counts.sum(-3) if kind == "union" else chosen[kind]
    return table[..., 1, :], table.sum(-2)


def totals(structure: Structure, kind: str) -> tuple[int, int]:
    """Contacts and pairs of a kind, ordered pairs."""
    far = structure.separation >= FAR
    chosen = structure.known & {"near": ~far, "far": far, "union": np.ones_like(far)}[kind]
    return int((chosen & structure.contact).sum()), int(chosen.sum())


def curve(counts: Sequence[np.ndarray], structures: Sequence[Structure], kind: str) -> pd.DataFrame:
    """Precision and recall at every threshold, mean and standard deviation over structures.

    Args:
        counts: per structure (2, 2, T), or (A, 2, 2, T): confusion matrices added over heads.

    Returns:
        ``threshold``, ``precision``, ``precision_sd``, ``recall``, ``recall_sd``, ``structures``
        (those with any pair at or above the threshold; precision is over them).
    """
    precision, recall = [], []
    for table, structure in zip(counts, structures, strict=True):
        heads = len(table) if table.ndim == 4 else 1
        contacts, pairs = of_kind(table.sum(0) if table.ndim == 4 else table, kind)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision.append(contacts / pairs)
        # A chain without contacts of this kind has found all zero of them: none, not a gap.
        recall.append(contacts / max(1, heads * totals(structure, kind)[0]))
    p, r = np.array(precision), np.array(recall)
    some = np.isfinite(p).sum(0)
    filled = np.where(np.isfinite(p), p, 0)
    mean = np.where(some > 0, filled.sum(0) / np.maximum(some, 1), np.nan)
    spread = np.where(np.isfinite(p), (p - mean) ** 2, 0).sum(0) / np.maximum(some - 1, 1)
    return pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "precision": mean,
            "precision_sd": np.where(some > 1, np.sqrt(spread), np.nan),
            "recall": r.mean(axis=0),
            "recall_sd": r.std(axis=0, ddof=1) if len(r) > 1 else np.nan,
            "structures": some,
        }
    )


def best_head(readings: Sequence[Reading], structures: Sequence[Structure], kind: str) -> int:
    """The head whose F1 at its best threshold is highest, counts added over structures."""
    contacts, pairs = of_kind(sum(r.heads for r in readings), kind)
    positives = sum(totals(s, kind)[0] for s in structures)
    f1 = 2 * contacts / np.maximum(pairs + positives, 1)
    return int(f1.max(-1).argmax())


def chosen_heads(
    readings: Sequence[Reading], structures: Sequence[Structure], kind: str
) -> list[int]:
    """For each structure the best head on the *others*, so that its choice does not flatter it."""
    heads = []
    for left_out in range(len(structures)):
        others = [i for i in range(len(structures)) if i != left_out] or [left_out]
        heads.append(
            best_head([readings[i] for i in others], [structures[i] for i in others], kind)
        )
    return heads


def folds(number: int, most: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """Which structures the regression is fitted and judged on.

    Up to ``most`` + 1 structures: leave one out. More: fitted on ``most`` drawn ones, judged on the
    rest. A single structure cannot be judged.
    """
    if number < 2:
        return []
    if number <= most + 1:
        return [([i for i in range(number) if i != j], [j]) for j in range(number)]
    chosen = set(np.random.default_rng(seed).choice(number, most, replace=False).tolist())
    return [(sorted(chosen), [i for i in range(number) if i not in chosen])]


def regression_scores(
    features: Sequence[np.ndarray], structures: Sequence[Structure], most: int, seed: int
) -> dict[int, np.ndarray]:
    """Probabilities (P,) of the far pairs of each judged structure, by its number.

    Logistic regression with L1 penalty λ = 0.15 on all heads (Rao et al. 2021).
    """
    labels = [s.contact[far_pairs(s)] for s in structures]
    scores = {}
    for fitted, judged in folds(len(structures), most, seed):
        # Features are standardised: attention shrinks with length, the penalty must not notice.
        x = np.concatenate([features[i] for i in fitted])
        mean, sd = x.mean(0), x.std(0) + 1e-12
        y = np.concatenate([labels[i] for i in fitted])
        model = LogisticRegression(l1_ratio=1.0, C=1 / 0.15, solver="liblinear")
        model.fit((x - mean) / sd, y)
        for i in judged:
            scores[i] = model.predict_proba((features[i] - mean) / sd)[:, 1]
    return scores


def precision_at(score_P: np.ndarray, structure: Structure, apart: int, share: float) -> float:
    """Precision of the L·share best-scored far pairs at least ``apart`` apart; NaN without any."""
    first, second = far_pairs(structure)
    chosen = second - first >= apart
    if not chosen.any():
        return np.nan
    number = max(1, int(len(structure.tokens) * share))
    order = np.argsort(-score_P[chosen], kind="stable")[:number]
    return float(structure.contact[first[chosen], second[chosen]][order].mean())


def contact_curves(
    networks: Mapping[str, Snapshot], structures: Sequence[Structure], device: torch.device
) -> tuple[pd.DataFrame, dict[str, float], dict[str, list[np.ndarray]]]:
    """Every reading of every network on all structures.

    Returns:
        :func:`curve`'s rows with ``kind``, ``reading`` (maximum, pooled, best head) and ``network``
        (with the controls ``distance along the chain`` and, for the last network, ``random head``);
        the share of pairs that are contacts, by kind; and each network's pair features.
    """
    tables, features = [], {}
    distance = [distance_reading(s) for s in structures]
    for network, snapshot in networks.items():
        encoder = snapshot.load().encoder.to(device)
        readings = [read_attention(encoder, s) for s in structures]
        features[network] = [r.features for r in readings]
        for kind in KINDS:
            heads = chosen_heads(readings, structures, kind)
            best = [r.heads[h] for r, h in zip(readings, heads, strict=True)]
            ways = {
                "maximum": [r.maximum for r in readings],
                "pooled": [r.heads for r in readings],
                "best head": best,
            }
            for reading, counts in ways.items():
                about = {"kind": kind, "reading": reading, "network": network}
                tables.append(curve(counts, structures, kind).assign(**about))
    for kind in KINDS:
        for reading in ("maximum", "pooled", "best head"):
            about = {"kind": kind, "reading": reading, "network": "distance along the chain"}
            tables.append(curve(distance, structures, kind).assign(**about))
        singles = [curve([r.heads[h] for r in readings], structures, kind)
                   for h in range(len(readings[0].heads))]  # fmt: skip
        mean = pd.concat(singles).groupby(level=0).mean()
        about = {"kind": kind, "reading": "best head", "network": "random head"}
        tables.append(mean.assign(**about))
    # A mean over structures, as precision is: at a recall of one the two agree.
    base = {
        kind: float(np.mean([np.divide(*totals(s, kind)) for s in structures])) for kind in KINDS
    }
    return pd.concat(tables, ignore_index=True), base, features


def predictions(
    features: Mapping[str, Sequence[np.ndarray]],
    structures: Sequence[Structure],
    most: int,
    seed: int,
) -> pd.DataFrame:
    """Precision of the regression at L, L/2 and L/5, per network, beside the distance control.

    Columns ``network``, ``range``, ``share``, ``precision`` (mean over judged structures, per
    cent), ``precision_sd``, ``structures``.
    """
    scores = {n: regression_scores(x, structures, most, seed) for n, x in features.items()}
    judged = sorted(next(iter(scores.values())))
    near_first = {i: -np.subtract(*far_pairs(structures[i])[::-1]).astype(float) for i in judged}
    rows = []
    for words, apart in ((f"at least {FAR} apart", FAR), (f"at least {LONG} apart", LONG)):
        for network, score in {**scores, "distance along the chain": near_first}.items():
            for name, share in (("L", 1.0), ("L/2", 0.5), ("L/5", 0.2)):
                values = [100 * precision_at(score[i], structures[i], apart, share) for i in judged]
                values = [value for value in values if np.isfinite(value)]
                if values:
                    about = {"network": network, "range": words, "share": name}
                    sd = np.std(values, ddof=1) if len(values) > 1 else np.nan
                    rows.append(
                        about | {"precision": np.mean(values), "precision_sd": sd,
                                 "structures": len(values)}
                    )  # fmt: skip
    return pd.DataFrame(rows)
