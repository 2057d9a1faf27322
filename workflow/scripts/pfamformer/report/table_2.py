"""Table 2: residues rightly said to be inside or outside of a domain, by reading a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pfamformer.analysis.readings import best_threshold, load_classifier, paint, readings
from pfamformer.command import log
from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.intervals import bootstrap_ratio
from pfamformer.methods.network import method_name
from pfamformer.report.items import Column, Item, said
from pfamformer.report.published import TABLE_2
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import collate

# Proteins read to fit one threshold per reading, and to judge: enough for intervals of two or three
# percentage points, at half a minute per network.
FITTING, JUDGED = 100, 200
# Residues read of a protein: attention is quadratic in them.
LENGTH = 1000
MAJORITY = "majority class"


@dataclass(frozen=True)
class Proteins:
    """Proteins with the truth of each residue: tokens and whether it is inside a domain."""

    tokens: list[np.ndarray]
    inside: list[np.ndarray]


def choose(
    domains: pd.DataFrame, split: pd.DataFrame, proteins: pd.DataFrame, seed: int
) -> tuple[Proteins, Proteins]:
    """Proteins to fit thresholds on (all their domains train) and to judge (none of them does).

    At most :data:`FITTING` and :data:`JUDGED`, drawn by ``seed``; :data:`LENGTH` residues each.
    """
    trains = domains["id"].map(split.set_index("id")["part"]) == "train"
    share = trains.groupby(domains["protein"]).mean()
    stream = np.random.default_rng(seed)
    sequence = proteins.set_index("protein")["sequence"]
    by_protein = domains.groupby("protein")
    chosen = []
    for wanted, most in ((1.0, FITTING), (0.0, JUDGED)):
        names = share.index[share == wanted].to_numpy()
        names = stream.permutation(names)[:most]
        texts = [sequence[name][:LENGTH] for name in names]
        inside = [paint(len(sequence[name]), by_protein.get_group(name))[:LENGTH] for name in names]
        chosen.append(Proteins([encode(text) for text in texts], inside))
    return chosen[0], chosen[1]


def make_table(
    runs: Mapping[str, Path],
    fitting: Proteins,
    judged: Proteins,
    settings: EvaluationSettings,
    seed: int,
) -> pd.DataFrame:
    """One row per run and reading, and one for the majority class; accuracies in per cent."""
    rows = [_majority(judged, settings, seed)]
    for run, path in runs.items():
        model, of_run = load_classifier(path)
        fitted, tested = _read(model, fitting), _read(model, judged)
        for reading in fitted:
            least = best_threshold(np.concatenate(fitted[reading]), np.concatenate(fitting.inside))
            right = [
                (scores >= least) == inside
                for scores, inside in zip(tested[reading], judged.inside, strict=True)
            ]
            method = method_name(of_run)
            rows.append(
                {"method": method, "run": run, "reading": reading, "threshold": least}
                | _accuracy(right, settings, seed)
                | {"published": TABLE_2.get(method.removesuffix(" mean").removesuffix(" max"))}
            )
        log.info("%s: %d readings", run, len(fitted))
    table = pd.DataFrame(rows)
    return table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)


def _read(model: torch.nn.Module, proteins: Proteins) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    for tokens in proteins.tokens:
        batch = collate([tokens], np.zeros(1, dtype=int))
        for name, scores in readings(model, batch.tokens).items():
            found.setdefault(name, []).append(scores)
    return found


def _majority(judged: Proteins, settings: EvaluationSettings, seed: int) -> dict:
    share = np.concatenate(judged.inside).mean()
    right = [inside == (share >= 0.5) for inside in judged.inside]
    about = {"method": MAJORITY, "run": "", "reading": "inside" if share >= 0.5 else "outside"}
    return about | _accuracy(right, settings, seed) | {"published": TABLE_2[MAJORITY]}


def _accuracy(right: Sequence[np.ndarray], settings: EvaluationSettings, seed: int) -> dict:
    sums = np.array([values.sum() for values in right], dtype=float)
    counts = np.array([len(values) for values in right], dtype=float)
    found = bootstrap_ratio(
        sums, counts, settings.bootstrap, settings.confidence, np.random.default_rng(seed)
    )
    return {
        "proteins": len(right),
        "residues": int(counts.sum()),
        "accuracy": 100 * found.value,
        "accuracy_low": 100 * found.low,
        "accuracy_high": 100 * found.high,
    }


def describe(table: pd.DataFrame) -> Item:
    """The report item."""
    majority = table[table["method"] == MAJORITY].iloc[0]
    read = table[table["method"] != MAJORITY]
    text, short = "No network was fine-tuned in this configuration.", {}
    if majority["accuracy"] == 100:
        text = (
            f"Every residue of the {majority['proteins']} proteins lies {majority['reading']} of a "
            "domain: there is nothing to locate (table 2)."
        )
        short = {"shortfalls": [text]}
    elif not read.empty:
        best = read.iloc[0]
        above = best["accuracy_low"] > majority["accuracy"]
        alike = int((read["accuracy"] == best["accuracy"]).sum())
        which = f"{best['method']}, {best['reading']}" if alike == 1 else f"{alike} of them alike"
        text = (
            f"Saying that every residue is {majority['reading']} is right for "
            f"{majority['accuracy']:.1f} % of the residues of {majority['proteins']} proteins. The "
            f"readings are right for at most {best['accuracy']:.1f} % ({which}): "
            + (
                "more than that, by more than its interval."
                if above
                else "not more, as the study found: a classifier of domains does not tell where "
                "they are."
            )
        )
        short = said(
            bool(above),
            f"Reading a classifier locates domains better than the majority class (table 2): "
            f"{best['accuracy']:.1f} % of residues, {majority['accuracy']:.1f} %.",
            f"Reading a classifier does not locate domains (table 2): {best['accuracy']:.1f} % of "
            f"residues, {majority['accuracy']:.1f} % by the majority class; as in the study.",
        )
    return Item(
        name="table_2",
        section="locations",
        title="Table 2: domains located by reading a classifier",
        caption="Residues rightly said to be inside or outside of a domain, on whole proteins none "
        "of whose domains the network was trained on. Thresholds are fitted on proteins all of "
        "whose domains it was trained on; intervals are bootstrapped over proteins.",
        text=[text],
        published="Classic 56 %, predeach 62 %, linattn 69 %; the majority class 71 %.",
        numbers="table_2.tsv",
        columns=[
            Column("method", "network", "text"),
            Column("run", "run", "text"),
            Column("reading", "reading", "text"),
            Column("accuracy", "residues right, %", "interval"),
            Column("published", "published, %", digits=0),
        ],
        rank=0,
        **short,
    )
