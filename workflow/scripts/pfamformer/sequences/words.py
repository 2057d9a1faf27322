"""Letters 64 at a time inside compiled code.

A vector is 64 letters, whatever registers the processor has; a mask says for each whether something
holds, the first in its lowest bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from pfamformer.compiled import compiled

LANES = 64
_NEWLINE = np.uint8(ord("\n"))
_LANES, _ONE = np.uint64(LANES), np.uint64(1)
VECTOR = ir.VectorType(ir.IntType(8), LANES)


def each(letter: int) -> ir.Constant:
    """A byte in all places of a vector."""
    return ir.Constant(VECTOR, [letter] * LANES)


def address(context: Any, builder: Any, kind: Any, text: Any, at: Any) -> Any:
    """Where a vector in ``text`` begins, at any byte."""
    array = make_array(kind)(context, builder, text)
    return builder.bitcast(builder.gep(array.data, [at]), VECTOR.as_pointer())


@intrinsic
def _newlines(typing: Any, text: Any, at: Any) -> Any:
    """Which of 64 letters of ``text`` (``uint8``) from an unsigned position on end a line."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = address(context, builder, signature.args[0], *arguments)
        letters = builder.load(place, align=1)
        return builder.bitcast(
            builder.icmp_unsigned("==", letters, each(ord("\n"))), ir.IntType(LANES)
        )

    return types.uint64(text, types.uint64), generate


@intrinsic
def _first(typing: Any, mask: Any) -> Any:
    """The lowest place that a mask tells of."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@compiled
def line_end(text, position, size):
    """Where the line that holds ``position`` ends in ``text`` (``uint8``); ``size`` if nowhere."""
    at = np.uint64(position)
    for _ in range((size - position) // LANES):
        ends = _newlines(text, at)
        if ends:
            return np.int64(at + _first(ends))
        at += _LANES
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
    at, count, size = np.uint64(0), 0, np.uint64(len(text))
    for _ in range(len(text) // LANES):
        found = _newlines(text, at)
        while found:
            ends[count] = at + _first(found)
            found &= found - _ONE
            count += 1
        at += _LANES
    for rest in range(at, size):
        if text[rest] == _NEWLINE:
            ends[count] = rest
            count += 1
    return count
