"""The top-pick profile HMM: one profile per family, the highest bit score wins.

Protocol of Bileschi et al. 2022, as in the study: ``hmmbuild`` on the aligned *training* rows of
each family, ``hmmsearch`` of the test domains, a second pass without filters (``--max``) for the
domains that found nothing. Computed in process by PyHMMER (Larralde and Zeller 2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyhmmer
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextMSA, TextSequence
from pyhmmer.plan7 import HMM, Background, Builder, HMMFile

from pfamformer.command import atomic_path, log
from pfamformer.families.domains import domain_id, domains_of
from pfamformer.sequences.stockholm import Alignment, read_stockholm

AMINO = Alphabet.amino()
# HMMER's own reporting threshold.
EVALUE = 10.0


@dataclass(frozen=True)
class TopPick:
    """The best family of one domain, its bit score (bits), and the pass that found it (1 or 2)."""

    family: str
    score: float
    search_pass: int


def training_alignment(entry: Alignment, train: set[str], minimum: int) -> TextMSA | None:
    """The rows of a seed alignment that are in ``train`` (domain ids), without empty columns."""
    kept: list[tuple[str, str]] = []
    for row, domain, _ in domains_of(entry, minimum):
        if domain is None:
            continue
        if domain_id(entry.accession, domain.protein, domain.start, domain.end) in train:
            kept.append((row.name, domain.aligned.upper().replace(".", "-")))
    if not kept:
        return None
    columns = [i for i in range(entry.width) if any(text[i] != "-" for _, text in kept)]
    rows = [
        TextSequence(name=name, sequence="".join(text[i] for i in columns)) for name, text in kept
    ]
    return TextMSA(name=entry.accession, accession=entry.accession, sequences=rows)


def build_profiles(
    seed_file: str | Path, train: set[str], minimum: int, seed: int
) -> Iterator[tuple[HMM, TextMSA]]:
    """One profile per family that has training rows, as ``hmmbuild --amino`` makes it.

    Args:
        train: ids of the training domains.
        minimum: shortest domain, in residues, as when the domain table was read.
        seed: of HMMER's E-value calibration; bit scores do not depend on it.
    """
    builder, background = Builder(AMINO, seed=seed), Background(AMINO)
    for count, entry in enumerate(read_stockholm(seed_file), 1):
        alignment = training_alignment(entry, train, minimum)
        if alignment is not None:
            hmm, _, _ = builder.build_msa(alignment.digitize(AMINO), background)
            yield hmm, alignment
        if count % 1000 == 0:
            log.info("%d families built", count)


def write_profiles(path: str | Path, hmms: Iterable[HMM]) -> int:
    """Write profiles in HMMER's text format; returns their number."""
    count = 0
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        for hmm in hmms:
            hmm.write(out)
            count += 1
    return count


def read_profiles(path: str | Path) -> list[HMM]:
    """All profiles of a file."""
    with HMMFile(path) as file:
        return list(file)


def top_picks(
    hmms: Sequence[HMM], domains: pd.DataFrame, threads: int, second_pass: bool = True
) -> dict[str, TopPick]:
    """The best-scoring family of each domain; domains without any hit are absent.

    Args:
        hmms: profiles whose name is the family.
        domains: columns ``id`` and ``sequence``.
        second_pass: search what found nothing again without filters, as ``hmmsearch --max``.
    """
    # Names are row numbers: HMMER cuts names at spaces.
    ids = domains["id"].tolist()
    block = DigitalSequenceBlock(
        AMINO,
        [
            TextSequence(name=str(i), sequence=s).digitize(AMINO)
            for i, s in enumerate(domains["sequence"])
        ],
    )
    best = _best(hmms, block, threads, 1, len(block))
    missing = [s for s in block if int(s.name) not in best]
    log.info("first pass: %d of %d domains have a hit", len(best), len(block))
    if second_pass and missing:
        rest = DigitalSequenceBlock(AMINO, missing)
        # The E-value keeps meaning the whole search: Z stays that of the first pass.
        best |= _best(hmms, rest, threads, 2, len(block), bias_filter=False, F1=1.0, F2=1.0, F3=1.0)
        log.info("second pass: %d of %d domains have a hit", len(best), len(block))
    return {ids[number]: pick for number, pick in best.items()}


def _best(
    hmms: Sequence[HMM],
    block: DigitalSequenceBlock,
    threads: int,
    search_pass: int,
    database_size: int,
    **filters: object,
) -> dict[int, TopPick]:
    best: dict[int, TopPick] = {}
    searches = pyhmmer.hmmsearch(hmms, block, cpus=threads, Z=database_size, E=EVALUE, **filters)
    for hits in searches:
        family = hits.query.name
        for hit in hits.reported:
            number = int(hit.name)
            pick = TopPick(family, hit.score, search_pass)
            # Equal scores: the first family by name, whatever the order of the profiles.
            held = best.get(number)
            if held is None or (-pick.score, pick.family) < (-held.score, held.family):
                best[number] = pick
    return best


def predictions(domains: pd.DataFrame, picks: dict[str, TopPick], run: str) -> pd.DataFrame:
    """The ``predictions`` table; a domain without a hit has an empty prediction and score 0."""
    none = TopPick("", 0.0, 0)
    chosen = [picks.get(i, none) for i in domains["id"]]
    return pd.DataFrame(
        {
            "id": domains["id"].to_numpy(),
            "truth": domains["family"].to_numpy(),
            "predicted": [p.family for p in chosen],
            "score": [p.score for p in chosen],
            "method": "top-pick pHMM",
            "run": run,
        }
    )
