"""Rows of seed alignments in Pfam's layout, read into the columns of the domain table.

Compiled by Numba, because nothing may be done in Python for each row, let alone for each residue.
What is unusual is not judged here but refused; :mod:`pfamformer.families.domains` then looks at it
row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from pfamformer.compiled import compiled
from pfamformer.families.domains import Domain
from pfamformer.sequences.alphabet import RESIDUES, STANDARD
from pfamformer.sequences.gaps import without_gaps
from pfamformer.sequences.stockholm import BLOCK_BYTES
from pfamformer.sequences.words import LANES, line_end

# Rows of a Parquet row group: 2 MB of sequences, so that little is left to write at the end.
ROW_GROUP = 10_000
# A row has at least a name of five characters (A/1-1), a space, a residue and a line end.
_SHORTEST_ROW = 8
_ROWS = ROW_GROUP + 2 * BLOCK_BYTES // _SHORTEST_ROW
_BYTES = 4 * BLOCK_BYTES
# Residues beyond the twenty: a bit at the place that each has in the alphabet, from 1.
_IN_ALPHABET, _ONE = np.uint64(31), np.uint64(1)
_UNSURE = np.uint64(sum(1 << (ord(letter) & 31) for letter in RESIDUES if letter not in STANDARD))
_PRIME = np.uint64(1099511628211)
_NEWLINE, _SPACE, _HASH, _SLASH, _HYPHEN, _DOT, _ZERO, _NINE = b"\n #/-.09"


class Rows:
    """Columns that grow row by row and are taken as a table from time to time.

    Attributes:
        count: rows that wait.
    """

    def __init__(self) -> None:
        self.proteins, self.places, self.residues = (
            np.empty(_BYTES + LANES, np.uint8) for _ in range(3)
        )
        #: protein end, place end, residue end, start, end of each row; row 0 holds the zeros.
        self.numbers = np.zeros((_ROWS + 1, 5), np.int32)
        self.accessions = np.empty((BLOCK_BYTES // _SHORTEST_ROW, 4), np.int64)
        self.count = 0
        # Bytes of the texts that the waiting rows came from: no column holds more.
        self._bytes = 0

    def has_room(self, text: memoryview) -> bool:
        """Whether the rows of a piece of a file fit beside those that wait."""
        return self._bytes + len(text) <= _BYTES and self.count + len(text) // _SHORTEST_ROW < _ROWS

    def add_entries(
        self, text: memoryview, entries: np.ndarray, minimum: int, max_ambiguous: float
    ) -> np.ndarray:
        """Add all rows of entries up to the first that needs a closer look.

        Args:
            text: a piece of a file.
            entries: begin and end of each in ``text``, from ``# STOCKHOLM`` on, ``int64``; 0 and 0
                where a closer look is needed in any case.

        Returns:
            Rows, and where the ``#=GF`` lines end in the entry's text, of each entry added.
        """
        read = np.empty((len(entries), 2), np.int64)
        letters = np.frombuffer(text, np.uint8)
        done = _read_entries(
            letters, entries, read, minimum, max_ambiguous,
            self.proteins, self.places, self.residues, self.numbers, self.count, self.accessions,
        )  # fmt: skip
        if done:
            self.count += int(read[:done, 0].sum())
            self._bytes += int(entries[done - 1, 1] - entries[0, 0])
        return read[:done]

    def add_domains(self, domains: Iterable[Domain]) -> None:
        """Add rows that were judged one by one."""
        for domain in domains:
            row = self.numbers[self.count + 1]
            words = (domain.protein, f"{domain.start}-{domain.end}", domain.sequence)
            for column, (into, word) in enumerate(
                zip((self.proteins, self.places, self.residues), words, strict=True)
            ):
                raw = word.encode()
                begin = self.numbers[self.count, column]
                into[begin : begin + len(raw)] = np.frombuffer(raw, np.uint8)
                row[column] = begin + len(raw)
                self._bytes += len(raw)
            row[3:] = domain.start, domain.end
            self.count += 1

    def take(self, families: Sequence[tuple[str, int]]) -> dict[str, pa.Array]:
        """The rows that wait: id (``family/protein/start-end``), protein, sequence, start, end.

        Nothing is copied but the id: the columns hold until rows are added again.

        Args:
            families: family and number of rows, in the order of the rows.
        """
        numbers = self.numbers[: self.count + 1]
        ends = {
            name: np.ascontiguousarray(numbers[:, column])
            for column, name in enumerate(("protein", "place", "sequence"))
        }
        taken = {
            "id": self._ids(families, ends["protein"], ends["place"]),
            "protein": _strings(self.proteins, ends["protein"]),
            "sequence": _strings(self.residues, ends["sequence"]),
            "start": pa.array(numbers[1:, 3]),
            "end": pa.array(numbers[1:, 4]),
        }
        self.count = self._bytes = 0
        return taken

    def _ids(
        self, families: Sequence[tuple[str, int]], protein_ends: np.ndarray, place_ends: np.ndarray
    ) -> pa.StringArray:
        prefixes = [f"{family}/".encode() for family, _ in families]
        counts = np.array([rows for _, rows in families], np.int64)
        lengths = np.array([len(prefix) for prefix in prefixes], np.int64)
        ends = np.zeros(self.count + 1, np.int32)
        size = int(lengths @ counts) + self.count + int(protein_ends[-1] + place_ends[-1])
        ids = np.empty(size, np.uint8)
        _join(
            np.frombuffer(b"".join(prefixes), np.uint8), lengths, counts,
            self.proteins, protein_ends, self.places, place_ends, ids, ends,
        )  # fmt: skip
        return _strings(ids, ends)


def _strings(buffer: np.ndarray, ends: np.ndarray) -> pa.StringArray:
    return pa.StringArray.from_buffers(
        len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(buffer[: ends[-1]])
    )


@compiled
def _join(prefixes, lengths, counts, proteins, protein_ends, places, place_ends, ids, ends):
    """The prefix of its family, the protein, a slash and the place of each row."""
    behind = row = at = 0
    for family in range(len(counts)):
        first, behind = behind, behind + lengths[family]
        for _ in range(counts[family]):
            at = _copy(prefixes, first, behind, ids, at)
            at = _copy(proteins, protein_ends[row], protein_ends[row + 1], ids, at)
            ids[at] = _SLASH
            at = _copy(places, place_ends[row], place_ends[row + 1], ids, at + 1)
            row += 1
            ends[row] = at


@compiled
def _read_entries(
    text, entries, read, minimum, max_ambiguous,
    proteins, places, residues, numbers, count, accessions,
):  # fmt: skip
    for entry in range(len(entries)):
        lines = text[entries[entry, 0] : entries[entry, 1]]
        begin = _behind_features(lines)
        rows = _read(
            lines, begin, minimum, max_ambiguous,
            proteins, places, residues, numbers, count, accessions,
        )  # fmt: skip
        if not rows:
            return entry
        read[entry, 0], read[entry, 1] = rows, begin
        count += rows
    return len(entries)


@compiled
def _behind_features(text):
    """Where the first line that is neither ``# STOCKHOLM`` nor ``#=GF`` begins."""
    size = len(text)
    position = line_end(text, 0, size) + 1
    while _markup_kind(text, position, size) == ord("F"):
        position = line_end(text, position, size) + 1
    return position


@compiled
def _markup_kind(text, position, size):
    """The letter X where a line ``#=GX …`` begins, else 0."""
    if (
        position + 5 <= size
        and text[position] == _HASH and text[position + 1] == ord("=")
        and text[position + 2] == ord("G") and text[position + 4] == _SPACE
    ):  # fmt: skip
        return text[position + 3]
    return np.uint8(0)


@compiled
def _read(
    text, begin, minimum, max_ambiguous,
    proteins, places, residues, numbers, count, accessions,
):  # fmt: skip
    known = used = 0
    width = -1
    position, size = begin, len(text)
    while position < size:
        if text[position] == _HASH:
            known, position = _markup(text, position, size, used, known, accessions)
            if position < 0:
                return 0
            continue
        name = position
        position = _word(text, position, size)
        slash = _last_slash(text, name, position)
        if slash < 0:
            return 0
        start, end = _coordinates(text, slash + 1, position)
        if start < 1:
            return 0
        first, last = name, slash
        if known:
            if used >= known or not _equal(text, name, position, accessions[used]):
                return 0
            first, last = accessions[used, 2], accessions[used, 3]
        if not _is_versioned(text, first, last):
            return 0
        row = numbers[count + used]
        added = numbers[count + used + 1]
        added[0] = _copy(text, first, last, proteins, row[0])
        added[1] = _copy(text, slash + 1, position, places, row[1])
        position = _skip_spaces(text, position, size)
        if width < 0:
            width = line_end(text, position, size) - position
        if position + width >= size or text[position + width] != _NEWLINE:
            return 0
        written, usual = without_gaps(text, position, width, residues, row[2])
        length = written - row[2]
        if not usual or length < max(1, minimum) or length != end - start + 1:
            return 0
        if _ambiguous(residues, row[2], written) > max_ambiguous * length:
            return 0
        added[2], added[3], added[4] = written, start, end
        position += width + 1
        used += 1
    if (known and known != used) or _has_copies(proteins, numbers, count, used):
        return 0
    return used


@compiled
def _markup(text, position, size, used, known, accessions):
    """Read a ``#=`` line; returns the accessions known and the next line, or -1 if in doubt."""
    kind = _markup_kind(text, position, size)
    if not (kind == ord("R") or kind == ord("C") or (kind == ord("S") and used == 0)):
        return known, -1
    stop = position
    if kind == ord("S"):
        name = _skip_spaces(text, position + 4, size)
        behind = _word(text, name, size)
        tag = _skip_spaces(text, behind, size)
        stop = _word(text, tag, size)
        if stop - tag == 2 and text[tag] == ord("A") and text[tag + 1] == ord("C"):
            number = _skip_spaces(text, stop, size)
            stop = _word(text, number, size)
            if known == len(accessions) or number == stop:
                return known, -1
            found = accessions[known]
            found[0], found[1], found[2], found[3] = name, behind, number, stop
            known += 1
    return known, line_end(text, stop, size) + 1


@compiled
def _word(text, position, size):
    """Behind a word: at the next space, control character or character beyond ASCII."""
    for at in range(np.uint64(position), np.uint64(size)):
        if not _SPACE < text[at] < 127:
            return np.int64(at)
    return size


@compiled
def _skip_spaces(text, position, size):
    for at in range(np.uint64(position), np.uint64(size)):
        if text[at] != _SPACE:
            return np.int64(at)
    return size


@compiled
def _last_slash(text, first, last):
    found = -1
    for at in range(np.uint64(first), np.uint64(last)):
        if text[at] == _SLASH:
            found = np.int64(at)
    return found


@compiled
def _coordinates(text, position, stop):
    """Two whole numbers without leading zeros around a hyphen; (-1, -1) if it is anything else."""
    start = number = digits = 0
    for at in range(np.uint64(position), np.uint64(stop)):
        letter = text[at]
        if _ZERO <= letter <= _NINE:
            # Ten digits are no place on a protein, and would overflow the column.
            if (digits == 0 and letter == _ZERO) or digits == 9:
                return -1, -1
            number = 10 * number + letter - _ZERO
            digits += 1
        elif letter == _HYPHEN and digits and not start:
            start, number, digits = number, 0, 0
        else:
            return -1, -1
    return (start, number) if start and digits else (-1, -1)


@compiled
def _equal(text, name, stop, accession):
    if accession[1] - accession[0] != stop - name:
        return False
    one, other = np.uint64(name), np.uint64(accession[0])
    for offset in range(np.uint64(stop - name)):
        if text[one + offset] != text[other + offset]:
            return False
    return True


@compiled
def _is_versioned(text, first, last):
    """Whether it ends in a dot and digits behind something else."""
    position = last
    while position > first and _ZERO <= text[position - 1] <= _NINE:
        position -= 1
    return (
        position < last and position - 2 >= first
        and text[position - 1] == _DOT and text[position - 2] != _DOT
    )  # fmt: skip


@compiled
def _copy(text, first, last, into, at):
    behind = np.uint64(at)
    for position in range(np.uint64(first), np.uint64(last)):
        into[behind] = text[position]
        behind += np.uint64(1)
    return np.int64(behind)


@compiled
def _ambiguous(residues, first, last):
    """Residues that are not one of the twenty."""
    count = np.uint64(0)
    for at in range(np.uint64(first), np.uint64(last)):
        count += (_UNSURE >> (np.uint64(residues[at]) & _IN_ALPHABET)) & _ONE
    return np.int64(count)


@compiled
def _has_copies(proteins, numbers, count, used):
    """Whether two rows may have the same protein and place: their 64-bit hashes are equal."""
    hashes = np.empty(used, np.uint64)
    for row in range(used):
        # FNV-1a, places as whole numbers.
        value = np.uint64(14695981039346656037)
        first, last = numbers[count + row, 0], numbers[count + row + 1, 0]
        for position in range(np.uint64(first), np.uint64(last)):
            value = (value ^ np.uint64(proteins[position])) * _PRIME
        for column in range(3, 5):
            value = (value ^ np.uint64(numbers[count + row + 1, column])) * _PRIME
        hashes[row] = value
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())
