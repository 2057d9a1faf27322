"""A 64-bit hash of each sequence of a block: XXH64 without a Python call for each sequence.

Source: the xxHash specification, version 0.1.1, section "XXH64 Algorithm"; seed 0.
"""

from __future__ import annotations

import numpy as np

from pfamformer.compiled import compiled
from pfamformer.sequences.blocks import Block

_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
# Typed, because Numba would compute with floats for a mixture of signs.
_1, _4, _8, _32 = (np.uint64(number) for number in (1, 4, 8, 32))


def hashes_of(block: Block) -> np.ndarray:
    """The XXH64 of the tokens of each sequence, (sequences,), ``uint64``: equal ones are equal."""
    found = np.empty(len(block), np.uint64)
    _hash_all(block.words("<u8"), block.words("<u4"), block.tokens, block.offsets, found)
    return found


@compiled
def _hash_all(words, halves, tokens, offsets, found):
    for row in range(len(found)):
        position, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        length = end - position
        value = _P5
        if length >= _32:
            value, position = _stripes(words, position, end)
        value += length
        while position + _8 <= end:
            value = _rotated(value ^ _round(np.uint64(0), words[position]), 27) * _P1 + _P4
            position += _8
        if position + _4 <= end:
            value = _rotated(value ^ (np.uint64(halves[position]) * _P1), 23) * _P2 + _P3
            position += _4
        while position < end:
            value = _rotated(value ^ (np.uint64(tokens[position]) * _P5), 11) * _P1
            position += _1
        value = (value ^ (value >> np.uint64(33))) * _P2
        value = (value ^ (value >> np.uint64(29))) * _P3
        found[row] = value ^ (value >> np.uint64(32))


@compiled
def _stripes(words, position, end):
    """Whole stripes of 32 bytes in four lanes; returns the value and what follows them."""
    a, b, c, d = _P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1
    while position + _32 <= end:
        a = _round(a, words[position])
        b = _round(b, words[position + _8])
        c = _round(c, words[position + _8 + _8])
        d = _round(d, words[position + _8 + _8 + _8])
        position += _32
    value = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
    for lane in (a, b, c, d):
        value = (value ^ _round(np.uint64(0), lane)) * _P1 + _P4
    return value, position


@compiled
def _round(lane, word):
    return _rotated(lane + word * _P2, 31) * _P1


@compiled
def _rotated(value, bits):
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))
