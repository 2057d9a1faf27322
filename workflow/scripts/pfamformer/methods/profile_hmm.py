"""The top-pick profile HMM: one profile per family, the highest bit score wins.

Protocol of Bileschi et al. 2022, as in the study: ``hmmbuild`` on the aligned *training* rows of
each family, ``hmmsearch`` of the test domains, a second pass without filters (``--max``) for the
domains that found nothing. Computed in process by PyHMMER (Larralde and Zeller 2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


def training_rows(entry: Alignment, train: set[str], minimum: int) -> list[tuple[str, str, str]]:
    """Name, protein and aligned residues (gaps as ``-``) of the training rows of a seed alignment.

    Args:
        train: ids of the training domains.
    """
    kept = []
    for row, domain, _ in domains_of(entry, minimum):
        if domain is None:
            continue
        if domain_id(entry.accession, domain.protein, domain.start, domain.end) in train:
            kept.append((row.name, domain.protein, domain.aligned.upper().replace(".", "-")))
    return kept


def alignment_of(family: str, rows: Sequence[tuple[str, str]]) -> TextMSA:
    """Named rows of aligned residues as an alignment, without empty columns."""
    columns = [i for i in range(len(rows[0][1])) if any(text[i] != "-" for _, text in rows)]
    sequences = [
        TextSequence(name=name, sequence="".join(text[i] for i in columns)) for name, text in rows
    ]
    return TextMSA(name=family, accession=family, sequences=sequences)


def training_alignment(entry: Alignment, train: set[str], minimum: int) -> TextMSA | None:
    """The rows of a seed alignment that are in ``train``; None where there are none."""
    kept = [(name, text) for name, _, text in training_rows(entry, train, minimum)]
    return alignment_of(entry.accession, kept) if kept else None


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


def digital_block(sequences: Iterable[str]) -> DigitalSequenceBlock:
    """Sequences for HMMER, named by their row number: HMMER cuts names at spaces."""
    return DigitalSequenceBlock(
        AMINO,
        [
            TextSequence(name=str(i), sequence=text).digitize(AMINO)
            for i, text in enumerate(sequences)
        ],
    )


def search(
    hmms: Sequence[HMM],
    domains: pd.DataFrame,
    threads: int,
    second_pass: bool = True,
    database_size: int | None = None,
) -> pd.DataFrame:
    """Bit scores of every family that HMMER reports for each domain.

    Args:
        hmms: profiles whose name is the family.
        domains: columns ``id`` and ``sequence``.
        second_pass: search what found nothing again without filters, as ``hmmsearch --max``.
        database_size: domains that E-values mean, where these are a part of them; none: these.

    Returns:
        Columns ``id``, ``family``, ``score`` (bits), ``search_pass`` (1 or 2); domains without any
        hit are absent.
    """
    block = digital_block(domains["sequence"])
    size = database_size or len(block)
    hits = list(_hits(hmms, block, threads, 1, size))
    found = {hit[0] for hit in hits}
    missing = [s for s in block if int(s.name) not in found]
    log.info("first pass: %d of %d domains have a hit", len(found), len(block))
    if second_pass and missing:
        rest = DigitalSequenceBlock(AMINO, missing)
        # The E-value keeps meaning the whole search: Z stays that of the first pass.
        more = list(_hits(hmms, rest, threads, 2, size, bias_filter=False, F1=1.0, F2=1.0, F3=1.0))
        log.info("second pass: %d more have one", len({hit[0] for hit in more}))
        hits += more
    table = pd.DataFrame(hits, columns=["row", "family", "score", "search_pass"])
    table.insert(0, "id", domains["id"].to_numpy()[table["row"].to_numpy(dtype=int)])
    return table.drop(columns="row")


def _hits(
    hmms: Sequence[HMM],
    block: DigitalSequenceBlock,
    threads: int,
    search_pass: int,
    database_size: int,
    **filters: object,
) -> Iterator[tuple[int, str, float, int]]:
    searches = pyhmmer.hmmsearch(hmms, block, cpus=threads, Z=database_size, E=EVALUE, **filters)
    for hits in searches:
        for hit in hits.reported:
            yield int(hit.name), hits.query.name, hit.score, search_pass
