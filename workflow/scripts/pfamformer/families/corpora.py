"""Pretraining corpora: which sequences, divided into training and validation, without test data.

No sequence of a corpus may contain a held-out domain: rows of the development and test parts are
left out of the domain corpus, and proteins with such a domain out of the protein corpora. Both are
decided on the sequence itself, so that the same domain under another accession is found too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pandas as pd

# A held-out domain is looked up by its first residues; long enough to be rare by chance.
SEED_LENGTH = 12


class HeldOut:
    """The domains that pretraining must not see.

    Args:
        domains: the ``domains`` table.
        split: the ``split`` table; everything outside its training part is held out.
    """

    def __init__(self, domains: pd.DataFrame, split: pd.DataFrame) -> None:
        part = split.set_index("id")["part"]
        sequences = set(domains.loc[domains["id"].map(part) != "train", "sequence"])
        self.sequences = sequences
        self._short = [s for s in sequences if len(s) < SEED_LENGTH]
        self._by_start: dict[str, list[str]] = defaultdict(list)
        for sequence in sequences:
            if len(sequence) >= SEED_LENGTH:
                self._by_start[sequence[:SEED_LENGTH]].append(sequence)

    def contained_in(self, protein: str) -> bool:
        """Whether a held-out domain is a part of ``protein``."""
        starts = self._by_start
        for position in range(len(protein) - SEED_LENGTH + 1):
            found = starts.get(protein[position : position + SEED_LENGTH])
            if found and any(protein.startswith(domain, position) for domain in found):
                return True
        return any(domain in protein for domain in self._short)


def is_validation(sequence: str, share: float) -> bool:
    """Whether a sequence is for validation: by its hash, so that chunks agree without talking."""
    digest = hashlib.blake2b(sequence.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


class Selection:
    """A pass over sequences that keeps what may be pretrained on, and counts the rest by reason."""

    def __init__(self, held_out: HeldOut, min_length: int) -> None:
        self.held_out, self.min_length = held_out, min_length
        self.counts = {
            "read": 0,
            "too_short": 0,
            "duplicate": 0,
            "holds_held_out_domain": 0,
            "kept": 0,
        }
        self._seen: set[bytes] = set()

    def __call__(self, sequences: Iterable[str]) -> Iterator[str]:
        """Yield the sequences that are kept."""
        for sequence in sequences:
            self.counts["read"] += 1
            reason = self._reason(sequence)
            self.counts[reason or "kept"] += 1
            if reason is None:
                yield sequence

    def _reason(self, sequence: str) -> str | None:
        if len(sequence) < self.min_length:
            return "too_short"
        digest = hashlib.blake2b(sequence.encode(), digest_size=16).digest()
        if digest in self._seen:
            return "duplicate"
        self._seen.add(digest)
        return "holds_held_out_domain" if self.held_out.contained_in(sequence) else None
