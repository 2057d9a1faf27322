"""Best chains of all classes without gradients, on a CPU: compiled, in a core's cache.

The same numbers as :func:`pfamformer.model.chain.best_chains` on :class:`Chain`'s responses. A
response is a sum of ``kernel`` looked-up scores, not a product with one-hot residues, and a block
of classes is taken through all its windows before the next: memory does not grow with the classes,
and time grows as residues × windows.
"""

from __future__ import annotations

import numpy as np

from pfamformer.compiled import compiled
from pfamformer.model.side_by_side import side_by_side

# Classes taken through their windows at once: four vector registers of 16 numbers. With 200
# residues the block's arrays take 150 kB, which a core's second cache holds.
BLOCK = 64
# Far below every score, as in pfamformer.model.chain.
NEVER = np.float32(-1e4)


def best_of_all(
    letters: list[np.ndarray],
    filters_WAK: np.ndarray,
    counts: np.ndarray,
    near: int,
    far: int,
    costs: np.ndarray,
) -> np.ndarray:
    """The score of the best chain of each class for each sequence, (sequences, classes).

    Args:
        letters: row of the filters for each position of a sequence; their number where none counts.
        filters_WAK: windows by place, then class; shape (windows, residues, positions of a window).
        counts: classes that have each place, falling.
        near, far, costs: see :func:`pfamformer.model.chain.best_chains`.
    """
    flat, ends = _joined(letters, filters_WAK)
    offsets, costs = np.cumsum(counts) - counts, costs.astype(np.float32)
    out = np.empty((len(letters), counts[0]), np.float32)

    def block(first: int) -> None:
        widths = np.minimum(counts - first, BLOCK)
        widths = widths[widths > 0]
        filters = [
            np.arange(start + first, start + first + width)
            for start, width in zip(offsets, widths, strict=False)
        ]
        tables = _tables(filters_WAK, filters)
        _best(flat, ends, tables, widths, near, far, costs, out[:, first : first + widths[0]])

    side_by_side(block, range(0, counts[0], BLOCK))
    return out


def best_of_few(
    letters: list[np.ndarray],
    ranks_BK: np.ndarray,
    filters_WAK: np.ndarray,
    counts: np.ndarray,
    near: int,
    far: int,
    costs: np.ndarray,
) -> np.ndarray:
    """The same for a few classes of each sequence, (sequences, K): time does not grow with all.

    Args:
        ranks_BK: the classes of each sequence, as their rank among those with most windows first.
    """
    offsets, costs = np.cumsum(counts) - counts, costs.astype(np.float32)
    out = np.empty(ranks_BK.shape, np.float32)

    def sequence(row: int) -> None:
        flat, ends = _joined(letters[row : row + 1], filters_WAK)
        order = np.argsort(ranks_BK[row])
        for start in range(0, len(order), BLOCK):
            chosen = order[start : start + BLOCK]
            ranks = ranks_BK[row, chosen]
            widths = np.searchsorted(ranks, counts[counts > ranks[0]])
            filters = [
                offset + ranks[:width] for offset, width in zip(offsets, widths, strict=False)
            ]
            best = np.empty((1, len(chosen)), np.float32)
            tables = _tables(filters_WAK, filters)
            _best(flat, ends, tables, widths, near, far, costs, best)
            out[row, chosen] = best[0]

    side_by_side(sequence, range(len(letters)))
    return out


def _joined(letters: list[np.ndarray], filters_WAK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sequences one after another, each with as much around it as a window needs; their ends."""
    _, residues, kernel = filters_WAK.shape
    around = (kernel - 1) // 2, kernel // 2
    padded = [np.pad(x, around, constant_values=residues) for x in letters]
    return np.concatenate(padded), np.cumsum([len(x) for x in padded])


def _tables(filters_WAK: np.ndarray, filters: list[np.ndarray]) -> np.ndarray:
    """What each window of a block adds for each residue, (places, kernel, residues + 1, BLOCK).

    Args:
        filters: rows of the filters that each place of the block has.
    """
    _, residues, kernel = filters_WAK.shape
    tables = np.zeros((len(filters), kernel, residues + 1, BLOCK), np.float32)
    for table, rows in zip(tables, filters, strict=True):
        table[:, :residues, : len(rows)] = filters_WAK[rows].transpose(2, 1, 0)
    return tables


@compiled
def _best(flat, ends, tables, widths, near, far, costs, best):
    """Fill ``best`` (sequences, classes of a block) for sequences that end at ``ends``."""
    kernel = tables.shape[1]
    begin = 0
    for row in range(len(ends)):
        letters = flat[begin : ends[row]]
        begin = ends[row]
        length = len(letters) - kernel + 1
        # Rows before the sequence, from where no chain comes: no special case in the loops.
        chain = np.full((length + kernel, BLOCK), NEVER, np.float32)
        close = np.empty((length, BLOCK), np.float32)
        wide = np.empty((length, BLOCK), np.float32)
        fit = np.empty((length, BLOCK), np.float32)
        top = np.full(BLOCK, NEVER, np.float32)
        for place in range(len(widths)):
            _respond(letters, tables[place], fit)
            if place == 0:
                _copy(fit, 0, chain, kernel, length)
            else:
                _copy(chain, near, close, 0, length)
                _maxima(close, 2 * near)
                _copy(close, 0, wide, 0, length)
                _maxima(wide, far - near)
                _extend(fit, close, wide, chain, kernel, costs)
            _raise(top[: widths[place]], fit)
        best[row] = top[: best.shape[1]]


# In the loops below every row is taken as an array of its own: only then are they vectorised.


@compiled
def _copy(source, begin, target, at, rows):
    """Rows of one array to another."""
    for row in range(rows):
        one, other = source[begin + row], target[at + row]
        for c in range(BLOCK):
            other[c] = one[c]


@compiled
def _respond(letters, table, fit):
    """How well the windows of a place fit around each position."""
    for at in range(len(fit)):
        out = fit[at]
        out[:] = 0
        for k in range(len(table)):
            row = table[k, letters[at + k]]
            for c in range(BLOCK):
                out[c] += row[c]


@compiled
def _extend(fit, close, wide, chain, kernel, costs):
    """Add the best chain that reaches each position to ``fit``, and keep what goes on from it."""
    near, far, skip = costs[0], costs[1], costs[2]
    # Backwards: what a position reads lies before it and is still that of the last window.
    for at in range(len(fit) - 1, -1, -1):
        here, nearby, around = fit[at], close[at], wide[at]
        straight, following = chain[at], chain[at + kernel]
        for c in range(BLOCK):
            one, other = nearby[c] - near, around[c] - far
            nearby[c] = one if one > other else other
        for c in range(BLOCK):
            one, other = straight[c], nearby[c]
            reached = one if one > other else other
            here[c] += reached if reached > 0 else np.float32(0)
        for c in range(BLOCK):
            one, other = here[c], straight[c] - skip
            following[c] = one if one > other else other


@compiled
def _maxima(x, reach):
    """Replace every row by the maximum of it and the ``reach`` rows before it, by doubling."""
    flat = x.reshape(x.size)
    have = 1
    while have <= reach:
        step = min(have, reach + 1 - have)
        for at in range((len(x) - 1) * BLOCK, step * BLOCK - 1, -BLOCK):
            here = flat[at : at + BLOCK]
            earlier = flat[at - step * BLOCK : at - step * BLOCK + BLOCK]
            for c in range(BLOCK):
                one, other = here[c], earlier[c]
                here[c] = one if one > other else other
        have += step


@compiled
def _raise(top, fit):
    """Raise each class's best to the highest value of its column."""
    for at in range(len(fit)):
        row = fit[at]
        for c in range(len(top)):
            one, other = top[c], row[c]
            top[c] = one if one > other else other
