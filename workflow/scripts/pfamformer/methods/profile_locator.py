"""Domains on proteins by profile HMMs: ``hmmsearch``, thresholds, overlaps resolved.

Two sets of calls: those at the families' gathering thresholds, as Pfam annotates proteins, and all
that HMMER reports, for a threshold that is fitted as a network's is. The second is the fair rival
on remote homologues: gathering thresholds were chosen for profiles of all members of a family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import pyhmmer
from pyhmmer.plan7 import HMM

from pfamformer.methods import FITTED, GATHERING, PROFILES
from pfamformer.methods.outputs import places
from pfamformer.methods.profile_hmm import digital_block

# Of a domain of a family without gathering thresholds: HMMER's own inclusion threshold is 0.01 for
# one family; among many, ten times stricter.
EVALUE = 1e-3


def training_domains(domains: pd.DataFrame, slices: pd.DataFrame) -> set[str]:
    """Ids of the domains on training proteins.

    Args:
        domains: the ``domains`` table.
        slices: the ``localisation`` table.
    """
    learnt = set(slices.loc[slices["part"] == "train", "protein"])
    return set(domains.loc[domains["protein"].isin(learnt), "id"])


def gathering_thresholds(families: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Least bit scores of a sequence and of a domain, by family, of the ``families`` table."""
    found = {}
    for family, text in zip(families["family"], families["gathering"].fillna(""), strict=True):
        scores = str(text).replace(";", " ").split()
        if len(scores) == 2:
            found[family] = (float(scores[0]), float(scores[1]))
    return found


def profile_calls(
    hmms: Sequence[HMM],
    table: pd.DataFrame,
    thresholds: Mapping[str, tuple[float, float]],
    threads: int,
) -> pd.DataFrame:
    """The ``calls`` table, both sets: envelopes of domains, scores in bits.

    Args:
        hmms: profiles whose name is the family.
        table: rows of the ``localisation`` table, each searched as a sequence of its own.
        thresholds: as :func:`gathering_thresholds` gives them; other families by E-value.
    """
    names, offsets = places(table)
    block = digital_block(table["sequence"])
    found = []
    for hits in pyhmmer.hmmsearch(hmms, block, cpus=threads, Z=len(block), domZ=len(block)):
        family = hits.query.name
        least = thresholds.get(family)
        for hit in hits:
            row = int(hit.name)
            for domain in hit.domains:
                start = offsets[row] + domain.env_from - 1
                end = offsets[row] + domain.env_to - 1
                call = (names[row], start, end, family, domain.score, PROFILES)
                found.append((*call, FITTED))
                if (
                    hit.score >= least[0] and domain.score >= least[1]
                    if least
                    else domain.i_evalue <= EVALUE
                ):
                    found.append((*call, GATHERING))
    columns = ["protein", "start", "end", "label", "score", "method", "run"]
    calls = pd.DataFrame(found, columns=columns)
    sets = [best_of_overlapping(calls[calls["run"] == run]) for run in (GATHERING, FITTED)]
    return pd.concat(sets, ignore_index=True)


def best_of_overlapping(calls: pd.DataFrame) -> pd.DataFrame:
    """Calls that share more than half of the shorter one compete; the higher score stays."""
    kept: dict[str, list] = {}
    by = ["score", "protein", "start", "label"]
    ordered = calls.sort_values(by, ascending=[False, True, True, True])
    for call in ordered.itertuples(index=False):
        held = kept.setdefault(call.protein, [])
        if not any(
            2 * (min(call.end, other.end) - max(call.start, other.start) + 1)
            > min(call.end - call.start, other.end - other.start) + 1
            for other in held
        ):
            held.append(call)
    rows = [call for held in kept.values() for call in held]
    table = pd.DataFrame(rows, columns=calls.columns)
    return table.sort_values(["protein", "start", "label"]).reset_index(drop=True)
