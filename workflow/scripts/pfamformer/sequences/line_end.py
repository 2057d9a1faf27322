"""Finding the end of a line inside compiled code."""

from __future__ import annotations

from pfamformer.compiled import compiled

_NEWLINE = ord("\n")


@compiled
def line_end(text, position, size):
    """Where the line that holds ``position`` ends in ``text`` (``uint8``); ``size`` if nowhere."""
    # Sixteen bytes without a branch are one vector instruction.
    while position + 16 <= size:
        found = False
        for offset in range(16):
            found |= text[position + offset] == _NEWLINE
        if found:
            break
        position += 16
    while position < size and text[position] != _NEWLINE:
        position += 1
    return position
