"""From a project's results to a model folder: which networks, and how far to trust their scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfamformer.annotation.card import write_card
from pfamformer.annotation.model import ABOUT, FILES, sha256_of
from pfamformer.command import atomic_path
from pfamformer.evaluation.calibration import confidences, expected_error, fit_temperature
from pfamformer.evaluation.localisation import match
from pfamformer.evaluation.probability_curve import Curve, fit_curve

#: Overlap (intersection over union) at which a called domain counts as found.
FOUND = 0.5


def choose_classifier(scores: Mapping[str, pd.DataFrame], truth: pd.Series) -> dict[str, Any]:
    """The run that is right most often on the development part, with its temperature.

    Args:
        scores: the ``scores`` table of each run; equally good runs: the first one.
        truth: family by domain id.
    """
    dev = {run: table[table["part"] == "dev"] for run, table in scores.items()}
    accuracy = {run: _judged(table, truth, 1.0)["right"].mean() for run, table in dev.items()}
    run = max(accuracy, key=lambda name: accuracy[name])
    temperature = fit_temperature(dev[run], truth)
    test = _judged(scores[run][scores[run]["part"] == "test"], truth, temperature)
    return {
        "run": run,
        "temperature": temperature,
        "dev_accuracy": float(accuracy[run]),
        "test_domains": len(test),
        "test_accuracy": float(test["right"].mean()),
        "test_calibration_error": expected_error(test),
    }


def _judged(scores: pd.DataFrame, truth: pd.Series, temperature: float) -> pd.DataFrame:
    return confidences(scores.reset_index(drop=True), truth, temperature)


def judge_tagger(
    run: str, calls: pd.DataFrame, slices: pd.DataFrame, domains: pd.DataFrame
) -> dict[str, Any]:
    """Calibration on the development slices of proteins, precision and recall on the test ones.

    Args:
        calls: of the tagger on held-out slices.
        slices, domains: the tables ``localisation`` and ``localisation_domains``.
    """
    found = {}
    for part in ("dev", "test"):
        proteins = set(slices.loc[slices["part"] == part, "protein"])
        ids = set(slices.loc[slices["part"] == part, "id"])
        found[part] = match(
            calls[calls["protein"].isin(proteins)], domains[domains["id"].isin(ids)], FOUND
        )
    dev, test = found["dev"].calls, found["test"].scores()
    curve = fit_curve(dev["score"].to_numpy(dtype=float), dev["iou"].to_numpy(dtype=float) > 0)
    return {
        "run": run,
        "longest": int((slices["end"] - slices["start"] + 1).max()),
        "curve": _plain(curve),
        "dev_calls": len(dev),
        "test_calls": len(found["test"].calls),
        "test_precision": None if np.isnan(test["precision"]) else test["precision"],
        "test_recall": None if np.isnan(test["recall"]) else test["recall"],
    }


def term_truth(calls: pd.DataFrame, annotations: pd.DataFrame, part: str) -> pd.DataFrame:
    """The calls on proteins of a part, in the ontologies that they are annotated in.

    Returns:
        The calls with ``ontology`` and ``right``.
    """
    positive = annotations.loc[
        (annotations["part"] == part) & ~annotations["negative"], ["protein", "term", "ontology"]
    ]
    ontologies = annotations.drop_duplicates("term").set_index("term")["ontology"]
    asked = calls.assign(ontology=calls["label"].map(ontologies)).merge(
        positive[["protein", "ontology"]].drop_duplicates(), on=["protein", "ontology"]
    )
    true = set(zip(positive["protein"], positive["term"], strict=True))
    right = [pair in true for pair in zip(asked["protein"], asked["label"], strict=True)]
    return asked.assign(right=np.array(right, dtype=bool))


def judge_terms(run: str, calls: pd.DataFrame, annotations: pd.DataFrame) -> dict[str, Any]:
    """Curve of the GO network on the development part, calibration error on the test part."""
    dev, test = (term_truth(calls, annotations, part) for part in ("dev", "test"))
    curve = fit_curve(dev["score"].to_numpy(), dev["right"].to_numpy())
    scores = test["score"].to_numpy()
    said = pd.DataFrame({"confidence": curve(scores) if curve else scores, "right": test["right"]})
    raw = said.assign(confidence=scores)
    return {
        "run": run,
        "curve": _plain(curve),
        "dev_calls": len(dev),
        "test_calls": len(test),
        "test_calibration_error": expected_error(said) if len(said) else None,
        "test_calibration_error_before": expected_error(raw) if len(raw) else None,
    }


def judge_family_terms(calls: pd.DataFrame, annotations: pd.DataFrame) -> dict[str, Any]:
    """How often the terms of a protein's families hold, by ontology, on the development part."""
    dev = term_truth(calls, annotations, "dev")
    counts = dev.groupby("ontology")["right"].agg(["sum", "size"])
    # One right and one wrong call more: no share of 0 or 1 from a few calls.
    return {
        "probability": {o: float((r + 1) / (n + 2)) for o, r, n in counts.itertuples()},
        "dev_calls": {o: int(n) for o, _, n in counts.itertuples()},
    }


def family_terms(
    mapping: Mapping[str, Sequence[str]], families: Sequence[str], terms: set[str]
) -> pd.DataFrame:
    """Terms of each family of the model that the ontology knows: ``family``, ``term``."""
    rows = [
        (family, term)
        for family in families
        for term in sorted(set(mapping.get(family.split(".")[0], ())) & terms)
    ]
    return pd.DataFrame(rows, columns=["family", "term"])


def save(
    folder: Path,
    about: Mapping[str, Any],
    copied: Mapping[str, Path],
    written: Mapping[str, pd.DataFrame],
) -> None:
    """Write a model folder: its parts, ``model.json`` with their checksums, the model card.

    Args:
        copied: files by part.
        written: tables by part.
    """
    for part, source in copied.items():
        with atomic_path(folder / FILES[part]) as temporary:
            shutil.copyfile(source, temporary)
    for part, table in written.items():
        with atomic_path(folder / FILES[part]) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    parts = [part for part in FILES if part in {**copied, **written}]
    about = {**about, "files": {part: sha256_of(folder / FILES[part]) for part in parts}}
    texts = {ABOUT: json.dumps(about, indent=1) + "\n", "README.md": write_card(about)}
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _plain(curve: Curve | None) -> dict[str, Any] | None:
    return asdict(curve) if curve else None
