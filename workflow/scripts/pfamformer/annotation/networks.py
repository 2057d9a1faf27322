"""Networks on a stream of proteins: where domains are, which family each is, which GO terms hold.

Each reader takes a block of proteins and says what it calls, in the order of the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from pfamformer.annotation.model import Model
from pfamformer.annotation.query import Record
from pfamformer.annotation.scan import without_overlaps
from pfamformer.config import TaggerSettings
from pfamformer.evaluation.probability_curve import Curve
from pfamformer.methods import TAGGER, term_network
from pfamformer.methods.decoding import Grammar
from pfamformer.methods.network import load_classifier, log_probabilities
from pfamformer.methods.tagging import decoded, load_tagger
from pfamformer.model.terms import sparse
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import encode
from pfamformer.tasks.term_targets import Conditions
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.device import number_format

#: How tables call the family network beside profile HMM and tagger.
CLASSIFIER = "family network"
#: Residues that networks read at a time: some hundred proteins, which fill their batches, and whose
#: GO terms, a few hundred each before the threshold, take tens of MB.
BLOCK_RESIDUES = 100_000
#: Probabilities of families (tokens × families) in a batch of the tagger: 8 MB, and twice the speed
#: of its training batches where families are few, because decoding is a loop over residues.
PROBABILITIES = 2_000_000


@dataclass(frozen=True, slots=True)
class Called:
    """A family at a place (1-based, inclusive) with a probability."""

    family: str
    start: int
    end: int
    score: float


def curve_of(given: dict[str, Any] | None) -> Curve | None:
    """A curve as ``model.json`` holds it."""
    return Curve(**given) if given else None


class TaggerReader:
    """Domains that the tagger finds; long proteins are read in overlapping windows."""

    def __init__(self, model: Model, device: torch.device) -> None:
        network, about = load_tagger(model.path("tagger"))
        self.network = network.to(device)
        self.settings = TaggerSettings.model_validate(about["run"])
        self.families = about["families"]
        self.grammar = about["grammar"] and Grammar(**about["grammar"])
        self.dtype = number_format(self.settings.precision, device)
        self.budget = self.settings.tokens_per_batch
        # Chains hold the responses of all windows: their batches stay as they are.
        if self.grammar:
            self.budget = max(self.budget, PROBABILITIES // len(self.families))
        self.longest: int = model.about["tagger"]["longest"]
        self.curve = curve_of(model.about["tagger"]["curve"])

    def __call__(self, block: Sequence[Record]) -> list[list[Called]]:
        """Domains of each protein, by start."""
        pieces = [
            (number, first, low, high)
            for number, record in enumerate(block)
            for first, low, high in windows(len(record.sequence), self.longest)
        ]
        rows = InMemory(
            [encode(block[n].sequence[first : first + self.longest]) for n, first, *_ in pieces]
        )
        batches = read_in_order(rows, self.budget, self.longest)
        found: list[list[Called]] = [[] for _ in block]
        for row, domain, label in decoded(self.network, batches, self.grammar, self.dtype):
            number, first, low, high = pieces[row]
            # A domain belongs to the window in whose own part its middle lies.
            if low <= first + (domain.start + domain.end) / 2 < high:
                score = float(self.curve(domain.score)) if self.curve else domain.score
                found[number].append(
                    Called(self.families[label], first + domain.start + 1,
                           first + domain.end + 1, score)
                )  # fmt: skip
        return [without_overlaps(domains) for domains in found]


def windows(length: int, longest: int) -> Iterator[tuple[int, float, float]]:
    """Windows that overlap by half: 0-based start, and the part of the protein that is its own."""
    starts = [0]
    if length > longest:
        starts = [*range(0, length - longest, longest // 2), length - longest]
    borders = [0, *(second + (first + longest - second) / 2 for first, second in pairwise(starts)),
               length]  # fmt: skip
    yield from zip(starts, borders, borders[1:], strict=False)


class FamilyReader:
    """What the family network takes a piece of a protein for, at the fitted temperature."""

    def __init__(self, model: Model, device: torch.device) -> None:
        self.network, self.settings, self.families = load_classifier(
            model.path("classifier"), device
        )
        self.temperature: float = model.about["classifier"]["temperature"]

    def __call__(self, pieces: Sequence[str]) -> list[tuple[str, float]]:
        """Likeliest family of each piece, and its probability."""
        if not pieces:
            return []
        scaled = log_probabilities(self.network, self.settings, pieces) / self.temperature
        scaled = np.exp(scaled - scaled.max(1, keepdims=True))
        best = scaled.argmax(1)
        chances = scaled[np.arange(len(best)), best] / scaled.sum(1)
        return [(self.families[b], float(c)) for b, c in zip(best, chances, strict=True)]


class TermReader:
    """Terms by the GO network, with calibrated probabilities."""

    def __init__(self, model: Model, device: torch.device) -> None:
        path = model.path("term_network")
        self.network, self.settings = term_network.load(path, device)
        about = description(path)
        conditions = Conditions(tuple(about["terms"]), np.array(about["conditions"]).reshape(-1, 2))
        self.terms, self.closure = conditions.terms, sparse(conditions.closure).to(device)
        self.run: str = model.about["term_network"]["run"]
        self.curve = curve_of(model.about["term_network"]["curve"])

    def __call__(self, block: Sequence[Record], least: float) -> pd.DataFrame:
        """Calls of terms on the proteins of a block, in its order, the likeliest first.

        Args:
            least: lowest probability that is called.
        """
        names = [record.name for record in block]
        proteins = pd.DataFrame({"protein": names, "sequence": [r.sequence for r in block]})
        pieces = term_network.predict(
            self.network, self.settings, self.closure, self.terms, proteins, self.run
        )
        calls = pd.concat(pieces, ignore_index=True)
        if self.curve:
            calls["score"] = self.curve(calls["score"].to_numpy())
        calls = calls[calls["score"] >= least]
        place = calls["protein"].map({name: i for i, name in enumerate(names)})
        order = np.lexsort([calls["label"], -calls["score"], place])
        return calls.iloc[order].reset_index(drop=True)


def tagger_rows(block: Sequence[Record], found: list[list[Called]], run: str) -> list[tuple]:
    """Rows of the ``calls`` table."""
    return [
        (record.name, call.start, call.end, call.family, call.score, TAGGER, run)
        for record, calls in zip(block, found, strict=True)
        for call in calls
    ]


def family_rows(
    block: Sequence[Record], places: list[list[tuple[int, int]]], read: FamilyReader, run: str
) -> list[tuple]:
    """Rows of the ``calls`` table: the network's own answer at each place that others call.

    Args:
        places: of each protein, 1-based and inclusive, sorted and distinct.
    """
    asked = [(record, place) for record, its in zip(block, places, strict=True) for place in its]
    answers = read([record.sequence[start - 1 : end] for record, (start, end) in asked])
    return [
        (record.name, start, end, family, chance, CLASSIFIER, run)
        for (record, (start, end)), (family, chance) in zip(asked, answers, strict=True)
    ]
