"""Letters eight at a time inside compiled code: a word holds eight bytes, the first lowest."""

from __future__ import annotations

import numpy as np

from pfamformer.compiled import compiled

EIGHT = np.uint64(8)
#: A byte in all places of a word.
EACH = np.uint64(0x0101010101010101)
#: The highest bit of every byte.
TOP = np.uint64(0x80) * EACH
_NEWLINE = np.uint8(ord("\n"))
_NEWLINES = np.uint64(_NEWLINE) * EACH


@compiled
def word_at(text, at):
    """Eight bytes of ``text`` (``uint8``) from an unsigned position on: one instruction."""
    word = np.uint64(0)
    for byte in range(EIGHT):
        word |= np.uint64(text[at + byte]) << (byte * EIGHT)
    return word


@compiled
def _ends_a_line(word):
    # Bytes that are zero borrow from their highest bit (Warren 2012, Hacker's Delight, 6-1).
    zeros = word ^ _NEWLINES
    return ((zeros - EACH) & ~zeros & TOP) != 0


@compiled
def line_end(text, position, size):
    """Where the line that holds ``position`` ends in ``text`` (``uint8``); ``size`` if nowhere."""
    at = np.uint64(position)
    for _ in range((size - position) >> 3):
        if _ends_a_line(word_at(text, at)):
            break
        at += EIGHT
    for rest in range(at, np.uint64(size)):
        if text[rest] == _NEWLINE:
            return np.int64(rest)
    return size


def line_ends(text: memoryview) -> np.ndarray:
    """Where lines end, ``int64``."""
    letters = np.frombuffer(text, np.uint8)
    ends = np.empty(len(letters), np.int64)
    return ends[: _line_ends(letters, ends)]


@compiled
def _line_ends(text, ends):
    count, size = 0, len(text)
    end = line_end(text, 0, size)
    while end < size:
        ends[count] = end
        count, end = count + 1, line_end(text, end + 1, size)
    return count
