"""Embedding arithmetic between proteins and between species (study, section 2.5.4).

A table of proteins has one protein per kind (such as trypsin) and species. The mean step from one
kind to another over some species, added to the first kind of another species, should arrive at the
second kind of that species; and likewise from one species to another, over kinds.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from Bio.SeqIO.FastaIO import SimpleFastaParser

from pfamformer.analysis.vectors import unit
from pfamformer.errors import InputError
from pfamformer.evaluation.intervals import bootstrap_ratio

#: Pairs that a mean step is taken over at least.
LEAST = 3
#: Nearest neighbours among which the target may be.
NEAR = (1, 5)
#: Names in the alignment's annotation that are no kind of protein.
NO_KIND = {"", "else", "not trypsin", "allergen", "venom"}
NO_SPECIES = {"", "n/a", "synthetic construct"}


def serine_proteases(alignment: str, annotation: str) -> pd.DataFrame:
    """One S1A serine protease per kind and species: ``kind``, ``species``, ``sequence``.

    Args:
        alignment: FASTA text.
        annotation: CSV text with ``Seq_ID``, ``prot_specificity`` and ``species``.

    Source: the alignment and annotation of Halabi et al., Cell 138 (2009).
    """
    records = SimpleFastaParser(io.StringIO(alignment))
    sequences = {h.split()[0]: re.sub(r"[^A-Za-z]", "", s).upper() for h, s in records}
    rows = []
    for row in csv.DictReader(io.StringIO(annotation)):
        kind, species = row["prot_specificity"].strip(), row["species"].strip()
        if kind.lower() in NO_KIND or species.lower() in NO_SPECIES:
            continue
        if row["Seq_ID"] in sequences:
            rows.append((kind, species.capitalize(), sequences[row["Seq_ID"]]))
    table = pd.DataFrame(rows, columns=["kind", "species", "sequence"])
    return table.drop_duplicates(["kind", "species"]).drop_duplicates("sequence")


def read_orthologues(path: str | Path) -> pd.DataFrame:
    """A table of proteins: ``kind``, ``species``, ``sequence``, one of each kind and species.

    Raises:
        InputError: a column is missing, or a kind comes twice in a species.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    missing = {"kind", "species", "sequence"} - set(table.columns)
    if missing:
        raise InputError(path, f"no column {', '.join(sorted(missing))}")
    twice = table[table.duplicated(["kind", "species"])]
    if len(twice):
        record = f"{twice['kind'].iloc[0]} of {twice['species'].iloc[0]}"
        raise InputError(path, "comes twice", record=record, remedy="Keep one of them")
    return table


def arithmetic(
    vectors: Mapping[str, np.ndarray],
    table: pd.DataFrame,
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """How often the target is among the nearest neighbours of the arithmetic's result.

    Args:
        vectors: per encoder, one row per row of ``table``.

    Returns:
        One row per encoder, ``step`` (between kinds, between species) and ``how`` (mean step, no
        step: the control that stays where it is): ``trials``, ``hits_1`` (share) with its interval
        over pairs of kinds (species), ``hits_5`` and ``chance_1``.
    """
    rows = []
    columns = {"between kinds": ("kind", "species"), "between species": ("species", "kind")}
    for encoder, x in vectors.items():
        u = unit(x, x.mean(0))
        for step, (moved, fixed) in columns.items():
            single = trials(u, table[moved].to_numpy(), table[fixed].to_numpy())
            for how, found in single.groupby("how", sort=False):
                hit = (found["rank"] <= NEAR[0]).groupby(found["pair"]).agg(["sum", "count"])
                interval = bootstrap_ratio(
                    hit["sum"].to_numpy(), hit["count"].to_numpy(), draws, confidence,
                    np.random.default_rng(seed),
                )  # fmt: skip
                rows.append(
                    [encoder, step, how, len(found), interval.value, interval.low, interval.high,
                     (found["rank"] <= NEAR[1]).mean(), 1 / (len(table) - 1)]
                )  # fmt: skip
    names = ["encoder", "step", "how", "trials", "hits_1", "hits_1_low", "hits_1_high", "hits_5"]
    return pd.DataFrame(rows, columns=[*names, "chance_1"])


def trials(u_ND: np.ndarray, moved: np.ndarray, fixed: np.ndarray) -> pd.DataFrame:
    """Every source and target that differ in ``moved`` and agree in ``fixed``.

    Returns:
        ``pair`` (the two values of ``moved``), ``how``, ``source`` and ``target`` as rows of ``u``,
        and the ``rank`` of the target among all others but the source, from 1.
    """
    place = {(m, f): i for i, (m, f) in enumerate(zip(moved, fixed, strict=True))}
    found = []
    for a in sorted(set(moved)):
        for b in sorted(set(moved) - {a}):
            both = sorted({f for f in fixed if (a, f) in place and (b, f) in place})
            if len(both) <= LEAST:
                continue
            start = np.array([place[a, f] for f in both])
            end = np.array([place[b, f] for f in both])
            steps = u_ND[end] - u_ND[start]
            for k, (i, j) in enumerate(zip(start, end, strict=True)):
                # The mean step never saw the pair that it is judged on.
                mean = (steps.sum(0) - steps[k]) / (len(both) - 1)
                for how, point in (("mean step", u_ND[i] + mean), ("no step", u_ND[i])):
                    distance = np.linalg.norm(u_ND - point, axis=1)
                    distance[i] = np.inf
                    rank = int((distance <= distance[j]).sum())
                    found.append((f"{a} → {b}", how, int(i), int(j), rank))
    return pd.DataFrame(found, columns=["pair", "how", "source", "target", "rank"])
