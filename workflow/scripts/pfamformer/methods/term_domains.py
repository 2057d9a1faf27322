"""Terms of the Pfam families found in a protein: the mapping that InterPro's curators keep.

The families come from a scan at Pfam's gathering thresholds; the terms of a family are those of
``pfam2go`` (format: https://geneontology.org/docs/download-mappings). Nothing is estimated: a term
is said, with score 1, or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyhmmer
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import HMM, HMMFile
from xopen import xopen

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.methods.calls import term_calls
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.ontology import Ontology

METHOD = "Pfam domains to terms"
_LINE = re.compile(r"Pfam:(PF\d{5})\b.* > GO:.* ; (GO:\d{7})\s*")
AMINO = Alphabet.amino()


def read_pfam2go(path: str | Path) -> dict[str, list[str]]:
    """Terms of each family (accession without version).

    Raises:
        InputError: a line that is neither comment nor mapping, with its number.
    """
    terms: dict[str, list[str]] = {}
    for number, line in read_lines(path, "utf-8"):
        if not line.strip() or line.startswith("!"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(
                path, f"{line[:60]!r} maps no family", record=f"line {number}",
                remedy="Is this pfam2go?",
            )  # fmt: skip
        terms.setdefault(match[1], []).append(match[2])
    return terms


def read_profiles(path: str | Path, families: Mapping[str, object]) -> list[HMM]:
    """The profiles of these families, by accession without version."""
    try:
        with xopen(path, "rb", threads=0) as raw, HMMFile(raw) as file:
            return [hmm for hmm in file if (hmm.accession or "").split(".")[0] in families]
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            path, f"no profile file ({error})", remedy="Delete it and rerun"
        ) from error


def scan(profiles: Sequence[HMM], proteins: pd.DataFrame, threads: int) -> pd.DataFrame:
    """Families at or above their gathering threshold: columns ``protein``, ``family``, distinct.

    Args:
        proteins: columns ``protein`` and ``sequence``.
    """
    ids = proteins["protein"].tolist()
    block = DigitalSequenceBlock(
        AMINO,
        [
            TextSequence(name=str(i), sequence=s).digitize(AMINO)
            for i, s in enumerate(proteins["sequence"])
        ],
    )
    found = []
    searches = pyhmmer.hmmsearch(profiles, block, cpus=threads, bit_cutoffs="gathering")
    for count, hits in enumerate(searches, 1):
        family = hits.query.accession.split(".")[0]
        found += [(ids[int(hit.name)], family) for hit in hits.included]
        if count % 500 == 0 or count == len(profiles):
            log.info("%d of %d profiles, %d families found", count, len(profiles), len(found))
    return pd.DataFrame(sorted(set(found)), columns=["protein", "family"])


def predict(
    families: pd.DataFrame, terms: Mapping[str, Sequence[str]], ontology: Ontology, run: str
) -> pd.DataFrame:
    """The ``calls`` table: terms in use of the families of each protein, with score 1."""
    said = {
        (protein, resolved)
        for protein, family in zip(families["protein"], families["family"], strict=True)
        for term in terms.get(family, ())
        if (resolved := ontology.resolve(term)) is not None
    }
    rows = sorted(said)
    return term_calls([p for p, _ in rows], [t for _, t in rows], [1.0] * len(rows), METHOD, run)
