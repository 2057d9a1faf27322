"""The user's FASTA, streamed: every odd record is either mended or left out, and counted."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pfamformer.annotation.problems import LEFT_OUT, MAX_LENGTH, PROBLEMS
from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.fasta import read_fasta

# Shorter texts of A, C, G and T could be a peptide.
_MIN_NUCLEOTIDES = 30
_REMEDY = "Is this a whole FASTA file of proteins?"
_ODD = re.compile(f"[^{RESIDUES}]")
_NUCLEOTIDES = re.compile(r"[ACGTUN]")


@dataclass(frozen=True)
class Record:
    """One protein of the query: unique name, rest of the header, residues in capitals."""

    name: str
    description: str
    sequence: str


@dataclass
class Query:
    """Reads a query file; what was wrong is counted in ``problems`` and told to ``report``.

    Args:
        path: FASTA, gzipped or not, of any size: one record is held at a time, and names on disk.
        report: called with (record number, name as given, key of :data:`PROBLEMS`).
    """

    path: Path
    report: Callable[[int, str, str], None] = lambda number, name, problem: None
    read: int = 0
    kept: int = 0
    residues: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Record]:
        """Yield the usable records in file order.

        Raises:
            InputError: the file is missing, damaged, no FASTA, or holds no usable protein.
        """
        # An unnamed SQLite database is a temporary file: memory does not grow with the names.
        with _Names() as names:
            for header, text in read_fasta(self.path, remedy=_REMEDY):
                self.read += 1
                # Up to the first blank or tab, which would be a column of the tables.
                given, description = [*header.split(maxsplit=1), "", ""][:2]
                sequence, found = clean(text)
                if not given:
                    found.append("no name")
                if not set(found) & set(LEFT_OUT):
                    name = names.unique(given or f"record_{self.read}")
                    if given and name != given:
                        found.append("duplicate name")
                for problem in found:
                    self.problems[problem] += 1
                    self.report(self.read, given, problem)
                if set(found) & set(LEFT_OUT):
                    continue
                self.kept += 1
                self.residues += len(sequence)
                yield Record(name, description.strip(), sequence)
        if not self.kept:
            raise self._nothing()

    def _nothing(self) -> InputError:
        if not self.read:
            return InputError(self.path, "no FASTA record", remedy="Is this the right file?")
        key, count = self.problems.most_common(1)[0]
        return InputError(
            self.path,
            f"no usable protein in {self.read} record{'s' if self.read > 1 else ''}",
            record=f"{count} of {self.read}",
            remedy=PROBLEMS[key],
        )


def clean(text: str) -> tuple[str, list[str]]:
    """Residues in capitals, and keys of :data:`PROBLEMS` that were found."""
    # Blanks and line ends inside a sequence say nothing; a final * only ends a translation.
    sequence = "".join(text.upper().split())
    found = []
    if "-" in sequence or "." in sequence:
        found.append("gaps")
        sequence = sequence.replace("-", "").replace(".", "")
    sequence = sequence.rstrip("*")
    if not sequence:
        return "", ["empty"]
    if looks_like_nucleotides(sequence):
        return "", ["nucleotides"]
    if "*" in sequence:
        found.append("stop codons")
        sequence = sequence.replace("*", "X")
    sequence, odd = _ODD.subn("X", sequence)
    if odd:
        found.append("odd characters")
    if 2 * odd > len(sequence):
        return "", ["not a sequence"]
    if len(sequence) > MAX_LENGTH:
        return "", ["too long"]
    return sequence, found


def looks_like_nucleotides(sequence: str) -> bool:
    """Whether nearly all letters are A, C, G, T, U or N, and all four bases are common.

    Proteins of few residue types exist (fibroin: Gly, Ala, Ser); with 3 % each of Ala, Cys, Gly and
    Thr and less than 5 % of anything else none is known.
    """
    length = len(sequence)
    if length < _MIN_NUCLEOTIDES or len(_NUCLEOTIDES.findall(sequence)) < 0.95 * length:
        return False
    counts = Counter(sequence)
    bases = (counts["A"], counts["C"], counts["G"], counts["T"] + counts["U"])
    return min(bases) >= 0.03 * length


class _Names:
    """Names seen so far, in a temporary database on disk."""

    def __enter__(self) -> _Names:
        self._database = sqlite3.connect("", isolation_level=None)
        # 8 MB of pages in memory, whatever the number of names; nothing needs to survive a crash.
        self._database.execute("PRAGMA cache_size = -8000")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def unique(self, name: str) -> str:
        """``name``, or where it came before, with the first free number behind it."""
        chosen, number = name, 1
        while not self._add(chosen):
            number += 1
            chosen = f"{name}_{number}"
        return chosen

    def _add(self, name: str) -> bool:
        done = self._database.execute("INSERT OR IGNORE INTO names VALUES (?)", (name,))
        return done.rowcount == 1
