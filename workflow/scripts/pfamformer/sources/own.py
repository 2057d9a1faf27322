"""A user's own families made into the files that Pfam serves, so that nothing else differs.

Families that come unaligned are aligned by FAMSA (Deorowicz et al. 2016). A domain whose protein is
known, because a file of full-length proteins was given, keeps its place on it. Any other domain
becomes a protein of its own: an accession made from its name, or from its line where it has none,
with the domain from the first to the last residue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pyfamsa import Aligner
from pyfamsa import Sequence as FamsaSequence

from pfamformer.command import log
from pfamformer.sequences.fasta import open_gzip_writer, write_fasta
from pfamformer.sequences.stockholm import stockholm_entry
from pfamformer.sources.labelled import Family, Labelled, Row

# Letters that FAMSA refuses, as the residue that substitution matrices put closest.
_FAMSA = str.maketrans("UOJ", "CKL")
_VERSION = re.compile(r"\.\d+$", re.ASCII)
_UNCLEAN = re.compile(r"[^!-.0-~]")


def versioned(accession: str) -> str:
    """The accession with a version, ``.1`` where it has none."""
    return accession if _VERSION.search(accession) else f"{accession}.1"


def draw(families: Mapping[str, Family], least: int, most: int, seed: int) -> list[Family]:
    """Families with at least ``least`` different sequences, each with at most ``most`` rows.

    Rows are drawn without replacement; where any must go, copies of a sequence go first.
    """
    chosen = []
    for family in families.values():
        first = {row.sequence: i for i, row in reversed(list(enumerate(family.rows)))}
        if len(first) < least:
            continue
        rows = family.rows
        if len(rows) > most:
            stream = np.random.default_rng([seed, *family.accession.encode()])
            candidates = sorted(first.values())
            if len(candidates) > most:
                candidates = sorted(stream.choice(candidates, size=most, replace=False))
            rows = [rows[i] for i in candidates]
        chosen.append(Family(family.accession, family.features, rows))
    return chosen


def align(rows: Sequence[Row], threads: int) -> list[str]:
    """Aligned residues of each row, with ``.`` for gaps; letters that FAMSA refuses come back."""
    sequences = [row.sequence for row in rows]
    if len(rows) == 1:
        return sequences
    aligner = Aligner(threads=threads)
    named = [
        FamsaSequence(str(i).encode(), sequence.translate(_FAMSA).encode())
        for i, sequence in enumerate(sequences)
    ]
    aligned = {int(row.id): row.sequence.decode() for row in aligner.align(named)}
    return [_restored(aligned[i], sequence) for i, sequence in enumerate(sequences)]


def _restored(aligned: str, sequence: str) -> str:
    residues = iter(sequence)
    return "".join("." if letter == "-" else next(residues) for letter in aligned)


def write_sources(
    labelled: Labelled,
    proteins: Mapping[str, str] | None,
    seed_alignments: str | Path,
    pfamseq: str | Path,
    *,
    least: int,
    most: int,
    seed: int,
    threads: int,
) -> int:
    """Write ``Pfam-A.seed.gz`` and ``pfamseq.gz``; returns the number of rows written.

    Args:
        proteins: full-length proteins; without them every domain becomes its own protein.
        least: different sequences that a family must have.
        most: rows of a family at most, drawn with ``seed``.
    """
    families = draw(labelled.families, least, most, seed)
    rows = sum(len(family.rows) for family in families)
    log.info(
        "%d of %d families, %d of %d rows; %d rejected",
        len(families), len(labelled.families), rows, labelled.rows, len(labelled.rejects),
    )  # fmt: skip
    made: dict[str, str] = {}
    done = 0
    with open_gzip_writer(seed_alignments) as out:
        for count, family in enumerate(families, 1):
            aligned = (
                [row.aligned for row in family.rows]
                if family.is_aligned
                else align(family.rows, threads)
            )
            names = [_placed(row, proteins) or _made(row, made) for row in family.rows]
            out.writelines(stockholm_entry(_features(family), zip(names, aligned, strict=True)))
            done += len(names)
            if count % 20 == 0 or count == len(families):
                log.info("%d of %d families, %d domains", count, len(families), done)
    write_fasta(pfamseq, _proteins(proteins, made))
    return rows


def _placed(row: Row, proteins: Mapping[str, str] | None) -> str | None:
    """``accession.version/start-end`` where full-length proteins are known."""
    if proteins is None:
        return None
    protein, _, place = row.name.rpartition("/")
    return f"{versioned(protein)}/{place}" if protein else row.name


def _made(row: Row, made: dict[str, str]) -> str:
    name = _UNCLEAN.sub("_", row.name) or f"L{row.line}"
    accession = versioned(name)
    if accession in made:
        accession = f"{name}_L{row.line}.1"
    made[accession] = row.sequence
    return f"{accession}/1-{len(row.sequence)}"


def _features(family: Family) -> dict[str, object]:
    kept = {key: family.features[key] for key in ("DE", "GA", "CL") if key in family.features}
    return {
        "ID": family.features.get("ID", family.accession),
        "AC": family.accession,
        **kept,
        "SQ": len(family.rows),
    }


def _proteins(
    proteins: Mapping[str, str] | None, made: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    yield from made.items()
    for name, sequence in (proteins or {}).items():
        yield versioned(name), sequence
