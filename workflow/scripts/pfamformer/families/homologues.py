"""Homologues of held-out domains in pretraining corpora: found, left out, and certified.

A sequence holds a homologue when a local alignment with a held-out domain has enough identity,
covers enough of the domain, and scores enough bits. (Identity alone would not do: unrelated short
stretches reach 25 %.) Both directions are searched: scores differ by some bits between them
(MMseqs2 corrects for the composition of the query), and other words of other sequences meet in the
prefilter. The certificate searches what is left, as it lies in the finished shards, with the
sequences of the corpus as queries; it fails above zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfamformer.config import HomologueSettings
from pfamformer.errors import InputError
from pfamformer.families.similarity import MAX_TARGETS, find_parts
from pfamformer.sequences.shards import MappedShard
from pfamformer.tables import read_table


def homologues(
    shard: MappedShard, held_out: pd.DataFrame, settings: HomologueSettings, threads: int
) -> pd.DataFrame:
    """Sequences of a shard with a homologue of a held-out domain.

    Args:
        held_out: columns ``id`` and ``sequence``.

    Returns:
        The ``homologues`` table: for each such row its best-scoring domain.
    """
    by_domain = find_parts(
        held_out["sequence"],
        shard.texts(),
        threads,
        prefilter=settings.prefilter,
        sensitivity=7.5,
        most=max(1, len(shard.lengths())),
    ).rename(columns={"query": "number", "target": "row", "query_coverage": "coverage"})
    by_sequence = _search_sequences(shard, held_out, settings, threads)
    hits = pd.concat([by_domain, by_sequence], ignore_index=True)
    hits = _judged(hits, settings).sort_values(["row", "bits", "number"], kind="stable")
    hits = hits.drop_duplicates("row", keep="last")
    hits["domain"] = held_out["id"].to_numpy()[hits["number"]]
    return hits[["row", "domain", "identity", "coverage", "bits"]].reset_index(drop=True)


def read_rows(paths: Iterable[str | Path]) -> dict[str, np.ndarray]:
    """Rows of some ``homologues`` tables by the name of their shard."""
    return {Path(path).stem: read_table("homologues", path)["row"].to_numpy() for path in paths}


def _search_sequences(
    shard: MappedShard, held_out: pd.DataFrame, settings: HomologueSettings, threads: int
) -> pd.DataFrame:
    """Alignments with the sequences of a shard as queries, at MMseqs2's default sensitivity."""
    return find_parts(
        shard.texts(),
        held_out["sequence"],
        threads,
        prefilter=settings.prefilter,
        sensitivity=5.7,
        most=MAX_TARGETS if settings.prefilter == "kmer" else max(1, len(held_out)),
    ).rename(columns={"query": "row", "target": "number", "target_coverage": "coverage"})


def _judged(hits: pd.DataFrame, settings: HomologueSettings) -> pd.DataFrame:
    return hits[
        (hits["identity"] >= settings.min_identity)
        & (hits["coverage"] >= settings.min_coverage)
        & (hits["bits"] >= settings.min_bits)
    ]


def certify_shards(
    folder: Path,
    shards: Iterable[dict[str, Any]],
    held_out: pd.DataFrame,
    settings: HomologueSettings,
    threads: int,
) -> dict[str, Any]:
    """Search what is left of some shards for held-out domains.

    Args:
        folder: the training part of the corpus.
        shards: entries of its index.

    Returns:
        ``sequences`` searched, ``alignments`` found, ``leaking_sequences`` and ``examples``.
    """
    found: dict[str, Any] = dict.fromkeys(("sequences", "alignments", "leaking_sequences"), 0)
    found["examples"] = []
    for entry in shards:
        shard = MappedShard(folder, entry)
        sequences = len(shard.lengths())
        found["sequences"] += sequences
        hits = _search_sequences(shard, held_out, settings, threads)
        found["alignments"] += len(hits)
        hits = _judged(hits, settings)
        found["leaking_sequences"] += int(hits["row"].nunique())
        worst = hits.sort_values("bits", ascending=False, kind="stable").head(5)
        found["examples"] += [
            {
                "shard": entry["name"],
                "sequence": int(hit.row),
                "domain": held_out["id"].iloc[hit.number],
                "identity": float(hit.identity),
                "bits": float(hit.bits),
            }
            for hit in worst.itertuples()
        ]
    return found


def join_certificates(
    found: Sequence[dict[str, Any]],
    settings: HomologueSettings | None,
    held_out: int,
    selection: dict[str, int],
) -> dict[str, Any]:
    """The certificate of a whole corpus.

    Args:
        found: what :func:`certify_shards` returned for each part of it; empty if nothing was
            searched.
        held_out: number of held-out domains.
        selection: sequences read, kept, and left out by reason.
    """
    totals = {
        key: sum(part[key] for part in found) if settings else None
        for key in ("sequences", "alignments", "leaking_sequences")
    }
    return {
        "definition": settings.model_dump() if settings else None,
        "searched": settings is not None,
        "held_out_domains": held_out,
        **totals,
        "left_out_as_identical": selection["holds_held_out_domain"],
        "left_out_as_homologue": selection.get("homologue_of_held_out", 0),
        "examples": sorted(
            (example for part in found for example in part["examples"]), key=lambda e: -e["bits"]
        )[:5],
    }


def refuse_homologues(certificate: dict[str, Any], index: str | Path) -> None:
    """Fail where the certificate of a corpus counts sequences with homologues.

    Args:
        certificate: what :func:`join_certificates` returned.
        index: path of the index of the corpus, for the message.

    Raises:
        InputError: with the best-scoring pair.
    """
    if certificate["leaking_sequences"]:
        first = certificate["examples"][0]
        raise InputError(
            index,
            f"{certificate['leaking_sequences']} training sequences hold a homologue of a held-out "
            f"domain, for example of {first['domain']} ({first['bits']:.0f} bits)",
            record=f"shard {first['shard']}, sequence {first['sequence']}",
            remedy="Delete the folder 'homologues' and the indexes of the corpus, and rerun",
        )
