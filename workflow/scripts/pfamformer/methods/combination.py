"""Several methods as one: ensembles of networks, and networks together with alignments.

All members speak through their ``scores`` tables. Networks state log-probabilities (nats), profile
HMMs and neighbours bits, which are log-odds too: bits × ln 2 are nats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import logsumexp

from pfamformer.command import atomic_path

# Of the squared distance of the weights from 1, in nats: keeps weights finite where the development
# part is small or separable, and is negligible beside a few hundred domains.
RIDGE = 0.05


#: Nats in one unit of a score. A cosine has none: 20 is the usual inverse temperature of softmax
#: over cosines, from which a fitted weight departs.
UNITS = {"nats": 1.0, "bits": math.log(2), "cosine": 20.0}


@dataclass(frozen=True)
class Member:
    """One method's scores.

    Attributes:
        name: run or baseline.
        scores: columns ``id``, ``part``, ``family``, ``score``.
        unit: a key of :data:`UNITS`.
    """

    name: str
    scores: pd.DataFrame
    unit: str


def method_name(rule: str, members: Sequence[str]) -> str:
    """How tables call a combination of these methods."""
    if rule == "cascade":
        return "cascade: {}, then {}".format(*members)
    if rule != "fitted":
        return f"ensemble of {len(members)}"
    # More names would not fit into a row.
    named = " and ".join(members) if len(members) == 2 else f"{len(members)} methods"
    return f"fitted sum of {named}"


def write_about(folder: Path, about: Mapping[str, object]) -> None:
    """Write ``combination.json``: rule, members, and what was fitted."""
    with atomic_path(folder / "combination.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def candidates_of(members: Sequence[Member], part: str) -> pd.DataFrame:
    """Every (domain, family) that some member lists: columns ``id`` and ``family``, sorted."""
    listed = [m.scores.loc[m.scores["part"] == part, ["id", "family"]] for m in members]
    return pd.concat(listed).drop_duplicates().sort_values(["id", "family"], ignore_index=True)


def evidence(member: Member, candidates: pd.DataFrame) -> np.ndarray:
    """What a member says of each candidate, nats, shape (len(candidates),).

    A network gives the families that it does not list an equal share of what is left of its
    probability among this domain's candidates. A search that does not list a family has found
    nothing: 0.
    """
    found = candidates.merge(
        member.scores[["id", "family", "score"]], on=["id", "family"], how="left"
    )["score"]
    if member.unit != "nats":
        return (found.fillna(0.0) * UNITS[member.unit]).to_numpy()
    group = candidates["id"].to_numpy()
    listed = np.exp(found).groupby(group).transform("sum")
    unlisted = found.isna().groupby(group).transform("sum")
    # The smallest share keeps the logarithm finite where rounding leaves nothing.
    rest = np.log(np.maximum((1 - listed) / np.maximum(unlisted, 1), np.finfo(np.float32).tiny))
    return found.fillna(rest).to_numpy()


def average(members: Sequence[Member], part: str, logarithmic: bool) -> pd.DataFrame:
    """Mean of the members' probabilities, or of their logarithms normalised again.

    Returns:
        Columns ``id``, ``family``, ``score`` (log-probability).
    """
    candidates = candidates_of(members, part)
    stacked = np.stack([evidence(m, candidates) for m in members])
    if logarithmic:
        return _normalised(candidates, stacked.mean(0))
    return _normalised(candidates, logsumexp(stacked, axis=0) - math.log(len(members)))


@dataclass(frozen=True)
class Fit:
    """Weights of the members: a conditional logit whose probability is softmax(Σ weight·evidence).

    Attributes:
        weights: by member, at least 0; 1 is a member that is believed as it is.
        loss, loss_alone: mean negative log-likelihood (nats) on the development part of the fit,
            and of each member alone with its own best weight.
    """

    weights: dict[str, float]
    loss: float
    loss_alone: dict[str, float]
    domains: int


def fit(members: Sequence[Member], truth: Mapping[str, str]) -> Fit:
    """Fit one weight per member on the development part by maximum likelihood.

    Args:
        truth: family of each development domain by id.
    """
    candidates = candidates_of(members, "dev")
    known = candidates["id"].map(truth)
    right = (candidates["family"] == known).to_numpy()
    # A domain whose family no member lists tells nothing about the weights.
    usable = candidates["id"].isin(set(candidates.loc[right, "id"])).to_numpy()
    candidates, right = candidates[usable].reset_index(drop=True), right[usable]
    X = np.stack([evidence(m, candidates) for m in members], axis=1)
    starts = np.flatnonzero(np.r_[True, candidates["id"].to_numpy()[1:] != candidates["id"][:-1]])
    weights, loss = most_likely(X, right, starts)
    alone = {m.name: most_likely(X[:, [i]], right, starts)[1] for i, m in enumerate(members)}
    names = [m.name for m in members]
    return Fit(dict(zip(names, weights.tolist(), strict=True)), loss, alone, len(starts))


def most_likely(X: np.ndarray, right: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights of greatest likelihood, and the mean loss (nats) with them.

    Args:
        X: evidence, shape (candidates of all domains, members), nats.
        right: which candidates are a domain's family: one of each domain.
        starts: the first row of each domain's candidates.
    """
    count = np.diff(np.r_[starts, len(X)])

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = X @ weights
        top = np.repeat(np.maximum.reduceat(score, starts), count)
        mass = np.exp(score - top)
        share = mass / np.repeat(np.add.reduceat(mass, starts), count)
        loss = -np.log(np.maximum(share[right], np.finfo(float).tiny)).sum()
        slope = X.T @ (share - right)
        distance = weights - 1
        return loss + RIDGE * distance @ distance, slope + 2 * RIDGE * distance

    found = minimize(
        objective, np.full(X.shape[1], 0.5), jac=True, method="L-BFGS-B",
        bounds=[(0, None)] * X.shape[1],
    )  # fmt: skip
    penalty = RIDGE * (found.x - 1) @ (found.x - 1)
    return found.x, float((found.fun - penalty) / len(starts))


def weighted(members: Sequence[Member], weights: Mapping[str, float], part: str) -> pd.DataFrame:
    """The fitted combination's log-probabilities: columns ``id``, ``family``, ``score``."""
    candidates = candidates_of(members, part)
    total = sum(weights[m.name] * evidence(m, candidates) for m in members)
    return _normalised(candidates, total)


def _normalised(candidates: pd.DataFrame, score: np.ndarray) -> pd.DataFrame:
    values = pd.Series(score)
    top = values.groupby(candidates["id"]).transform("max")
    total = np.log(np.exp(values - top).groupby(candidates["id"]).transform("sum")) + top
    return candidates.assign(score=(values - total).to_numpy())
