"""Profiles without gaps: the families worth a full search, at a small fraction of its cost.

The best diagonal of each family's profile on each sequence, in whole numbers of one byte, as the
first filter of HMMER 3 finds it (SSV: Eddy 2011; Farrar 2007). All profiles lie in one row, so
that an instruction works on 64 positions whatever their families; four residues are taken at once.
Time still grows as residues × profile positions, but some fifty times more slowly than that of
chains, and nothing behind it grows with the families.
"""

from __future__ import annotations

import numpy as np
import torch

from pfamformer.compiled import compiled
from pfamformer.model.chain import Chain
from pfamformer.model.side_by_side import side_by_side

# Scores are half bits, from -15 to 15; after every four residues a diagonal's sum is cut to 60, so
# that it never exceeds 120 and fits a byte. Families that reach 30 bits are listed anyway.
HALF, MOST, CUT = 2, 15, np.int8(60)
# Residues taken at once, and columns before a family in which every diagonal ends.
STRIDE = 4
CLOSED = -128
# Columns searched with all sequences before the next: 22 rows of them fit a core's second cache.
COLUMNS = 4096


class Ungapped:
    """The profiles that an encoder of chained windows holds, as one row of columns.

    Args:
        encoder: on the CPU; later changes of its filters are not seen.
    """

    def __init__(self, encoder: Chain) -> None:
        table_CP, residues = encoder.table.numpy(), encoder.one_hot.shape[1]
        rows = table_CP[table_CP >= 0]
        lengths = (table_CP >= 0).sum(1) * encoder.kernel
        number = np.repeat(np.arange(len(lengths)), lengths)
        inside = np.arange(len(number)) + STRIDE * (1 + number)
        #: Column at which each family begins, and the end of the last.
        self.starts = np.concatenate([[0], np.cumsum(lengths + STRIDE)])
        #: (residues and one that scores 0, columns); those before a family close it off.
        self.scores = np.full((residues + 1, self.starts[-1] + STRIDE), CLOSED, np.int8)
        weights_WAK = encoder.filters.weight.detach().numpy()
        for letter in range(residues):
            by_position = HALF * weights_WAK[rows, letter].ravel()
            self.scores[letter, inside] = np.clip(np.rint(by_position), -MOST, MOST)
        self.scores[-1, inside] = 0
        # Whole families, as many as fill the columns, and the end of the last.
        filled = np.flatnonzero(np.diff(self.starts[:-1] // COLUMNS, prepend=-1))
        self.groups = np.append(filled, len(lengths))

    def best(self, letters: list[np.ndarray]) -> np.ndarray:
        """Half bits of the best diagonal of each family, at most 120: (sequences, families).

        Args:
            letters: row of the scores for each position of a sequence.
        """
        padded = [np.pad(x, (0, -len(x) % STRIDE), constant_values=len(self.scores) - 1)
                  for x in letters]  # fmt: skip
        flat, ends = np.concatenate(padded), np.cumsum([len(x) for x in padded])
        out = np.zeros((len(letters), len(self.starts) - 1), np.int8)

        # Few parts, each with all it does in compiled code: threads do not wait for each other.
        parts = np.array_split(np.arange(len(self.groups) - 1), torch.get_num_threads())
        bounds = [self.groups[part[0] : part[-1] + 2] for part in parts if len(part)]
        side_by_side(
            lambda groups: _diagonals(flat, ends, self.scores, self.starts, groups, out), bounds
        )
        return out

    def shortlist(self, letters: list[np.ndarray], count: int) -> np.ndarray:
        """The families of each sequence whose best diagonals are highest, (sequences, count)."""
        return np.argsort(-self.best(letters), axis=1, kind="stable")[:, :count]


@compiled
def _diagonals(flat, ends, scores, starts, groups, best):
    """Fill ``best`` (sequences, families) for groups of families; sequences end at ``ends``."""
    for first, last in zip(groups[:-1], groups[1:]):  # noqa: B905, RUF007
        left, width = starts[first], starts[last] - starts[first]
        begin = 0
        for row in range(len(ends)):
            one, other = np.zeros(width + STRIDE, np.int8), np.zeros(width + STRIDE, np.int8)
            top = np.zeros(width, np.int8)
            for at in range(begin, ends[row], STRIDE):
                _four_residues(
                    one[:width],
                    scores[flat[at], left : left + width],
                    scores[flat[at + 1], left + 1 : left + 1 + width],
                    scores[flat[at + 2], left + 2 : left + 2 + width],
                    scores[flat[at + 3], left + 3 : left + 3 + width],
                    other[STRIDE:],
                    top,
                )
                one, other = other, one
            begin = ends[row]
            for family in range(first, last):
                # What began in a column is counted there, up to three columns before its own.
                best[row, family] = top[starts[family] - left : starts[family + 1] - left].max()


@compiled
def _four_residues(before, first, second, third, fourth, after, top):
    """Lead every diagonal four residues on; numbers stay bytes, or nothing is vectorised."""
    nothing = np.int8(0)
    for j in range(len(top)):
        a = np.int8(max(np.int8(before[j] + first[j]), nothing))
        b = np.int8(max(np.int8(a + second[j]), nothing))
        c = np.int8(max(np.int8(b + third[j]), nothing))
        d = np.int8(max(np.int8(c + fourth[j]), nothing))
        top[j] = max(max(max(a, b), max(c, d)), top[j])
        after[j] = min(d, CUT)
