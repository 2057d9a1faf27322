"""Letters many at a time: what one letter after another gives, wherever words begin and end."""

import itertools
import re

import numpy as np
import pytest

from pfamformer.sequences import gaps
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.words import line_end, line_ends

WAYS = [gaps.by_letter, *([gaps.by_vector] if gaps.has_vectors else [])]
ALIGNED = RESIDUES + RESIDUES.lower() + ".-" * 20


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("width", [*range(20), 63, 64, 65, 301])
def test_residues_are_what_python_leaves_of_an_aligned_row(way, width, stream):
    for begin, behind in itertools.product((0, 3), (0, 5, 40)):
        row = "".join(stream.choice(list(ALIGNED), width))
        text = np.frombuffer(("#" * begin + row + "\n" + "A1" * behind).encode(), np.uint8)
        into = np.zeros(width + 80, np.uint8)
        end, usual = way(text, begin, width, into, 5)
        assert usual
        assert into[5:end].tobytes().decode() == re.sub("[.-]", "", row).upper()


@pytest.mark.parametrize("way", WAYS)
def test_every_other_byte_is_told(way):
    known = {ord(letter) for letter in ALIGNED}
    for byte in range(256):
        for place in (0, 6, 63, 64, 73, 81):
            text = np.frombuffer(b"AC-.EFGH" * 11, np.uint8).copy()
            text[place] = byte
            assert way(text, 0, 82, np.zeros(160, np.uint8), 0)[1] == (byte in known)


def test_processors_that_move_chosen_bytes_read_vectors():
    assert gaps.without_gaps is WAYS[-1]


@pytest.mark.parametrize("length", [*range(20), *range(60, 70), 1000])
def test_line_ends_are_those_that_python_finds(length, stream):
    # Bytes next to a line end's, and such that a borrow runs through.
    text = stream.choice(np.frombuffer(b"\n\x0b\t\x00\x8aA", np.uint8), length)
    expected = np.flatnonzero(text == ord("\n"))
    assert line_ends(memoryview(text)).tolist() == expected.tolist()
    for position in range(length):
        behind = expected[expected >= position]
        assert line_end(text, position, length) == (behind[0] if len(behind) else length)
