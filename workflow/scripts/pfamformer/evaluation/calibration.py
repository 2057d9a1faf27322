"""How far probabilities can be trusted: reliability, expected calibration error, temperature.

Source: Guo et al. 2017 (one temperature, fitted on held-out data; bins of equal width).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

# As in Guo et al. 2017.
BINS = 15
# A temperature outside this range is no calibration but a broken network; the search needs an end.
TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """How well the probabilities of one method fit, before and after the temperature.

    Attributes:
        temperature: by which log-probabilities are divided; above 1 the method is over-confident.
        error, error_scaled: expected calibration error on the test part (0…1).
        loss, loss_scaled: mean negative log-likelihood of the right family (nats), test part.
    """

    temperature: float
    error: float
    error_scaled: float
    loss: float
    loss_scaled: float


def fit_temperature(scores: pd.DataFrame, truth: pd.Series) -> float:
    """The temperature with the highest likelihood of the right families.

    Args:
        scores: columns ``id``, ``family``, ``score`` (log-probability) of the development part.
        truth: family by id.
    """
    if scores.empty:
        return 1.0
    found = minimize_scalar(
        lambda logarithm: _loss(scores, truth, float(np.exp(logarithm))),
        bounds=np.log(TEMPERATURES),
        method="bounded",
    )
    return float(np.exp(found.x))


def confidences(scores: pd.DataFrame, truth: pd.Series, temperature: float) -> pd.DataFrame:
    """Confidence of each domain's best family, and whether it is right.

    Returns:
        Columns ``confidence`` (0…1) and ``right``, indexed by id.
    """
    probability = np.exp(_scaled(scores, temperature))
    table = scores.assign(confidence=probability).sort_values(
        ["confidence", "family"], ascending=[False, True], kind="stable"
    )
    best = table.drop_duplicates("id").set_index("id")
    right = best["family"] == truth.reindex(best.index)
    return pd.DataFrame({"confidence": best["confidence"], "right": right})


def reliability(found: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Accuracy and mean confidence in bins of equal width.

    Args:
        found: as from :func:`confidences`.

    Returns:
        Columns ``low``, ``high``, ``domains``, ``confidence``, ``accuracy``; empty bins are absent.
    """
    number = np.minimum((found["confidence"] * bins).astype(int), bins - 1)
    table = found.groupby(number).agg(
        domains=("right", "size"), confidence=("confidence", "mean"), accuracy=("right", "mean")
    )
    table.insert(0, "low", table.index / bins)
    table.insert(1, "high", (table.index + 1) / bins)
    return table.reset_index(drop=True)


def expected_error(found: pd.DataFrame, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over domains, by bins (0…1)."""
    table = reliability(found, bins)
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float((gap * table["domains"]).sum() / table["domains"].sum())


def calibrate(scores: pd.DataFrame, truth: pd.Series) -> Calibration:
    """Fit the temperature on the development part and judge it on the test part.

    Args:
        scores: the ``scores`` table of a method whose scores are log-probabilities.
        truth: family by id.
    """
    dev, test = (scores[scores["part"] == part] for part in ("dev", "test"))
    temperature = fit_temperature(dev, truth)
    return Calibration(
        temperature=temperature,
        error=expected_error(confidences(test, truth, 1.0)),
        error_scaled=expected_error(confidences(test, truth, temperature)),
        loss=_loss(test, truth, 1.0),
        loss_scaled=_loss(test, truth, temperature),
    )


def _scaled(scores: pd.DataFrame, temperature: float) -> np.ndarray:
    """Log-probabilities at a temperature, normalised over the families listed for a domain."""
    values = scores["score"] / temperature
    group = scores["id"].to_numpy()
    top = values.groupby(group).transform("max")
    total = np.log(np.exp(values - top).groupby(group).transform("sum")) + top
    return (values - total).to_numpy()


def _loss(scores: pd.DataFrame, truth: pd.Series, temperature: float) -> float:
    right = scores["family"].to_numpy() == truth.reindex(scores["id"]).to_numpy()
    said = _scaled(scores, temperature)[right]
    # A domain whose family is not listed at all counts as the smallest float32 probability.
    domains = scores["id"].nunique()
    total = said.sum() + (domains - right.sum()) * np.log(np.finfo(np.float32).tiny)
    return abs(float(total)) / domains
