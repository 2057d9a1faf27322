"""Aligned rows without their gaps, in compiled code.

Eight letters at once where the processor can gather chosen bits of a word (x86-64 with BMI2, 2013):
a third of the time of one letter after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from pfamformer.compiled import compiled
from pfamformer.sequences.alphabet import RESIDUES
from pfamformer.sequences.words import EACH, EIGHT, TOP, word_at

# What each byte is: the letter in upper case, and above it these flags. A gap has no flag.
_RESIDUE, _FOREIGN = 1 << 8, 1 << 9
_LETTERS = np.full(256, _FOREIGN, np.uint16)
for _letter in RESIDUES:
    _LETTERS[ord(_letter)] = _LETTERS[ord(_letter.lower())] = ord(_letter) | _RESIDUE
_LETTERS[[ord("."), ord("-")]] = 0
_IS_RESIDUE, _IS_FOREIGN, _ONE = np.uint16(8), np.uint16(9), np.uint16(1)

# The same of all bytes of a word. Numbers below 128 reach the highest bit of their byte when enough
# is added to them: so letters and gaps are told by their place in the alphabet.
_UPPER = np.uint64(0xDF) * EACH


def _at_least(letter: str) -> np.uint64:
    return np.uint64(0x80 - ord(letter)) * EACH


_FROM_A, _BEHIND_Z = _at_least("A"), _at_least("[")
_FROM_HYPHEN, _BEHIND_DOT = _at_least("-"), _at_least("/")
_SEVEN, _LAST = np.uint64(7), np.uint64(56)


@compiled
def by_letter(text, position, width, into, at):
    """Copy the residues of ``width`` aligned letters in upper case.

    Args:
        text, into: ``uint8``.
        position, at: where they begin in each.

    Returns:
        Where they end, and whether all letters are residues or gaps (``.``, ``-``); if not, what
        was copied means nothing.
    """
    # Unsigned, so that no index can count from the end: less than half the time.
    written, flags = np.uint64(at), np.uint16(0)
    for column in range(np.uint64(position), np.uint64(position + width)):
        letter = _LETTERS[text[column]]
        into[written] = letter
        written += np.uint64((letter >> _IS_RESIDUE) & _ONE)
        flags |= letter
    return np.int64(written), not (flags >> _IS_FOREIGN) & _ONE


@intrinsic
def _gathered(typing: Any, word: Any, mask: Any) -> Any:
    """The chosen bits of a word, next to each other."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(64)
        kind = ir.FunctionType(whole, [whole, whole])
        gather = builder.module.declare_intrinsic("llvm.x86.bmi.pext.64", (), kind)
        return builder.call(gather, arguments)

    return types.uint64(types.uint64, types.uint64), generate


@compiled
def by_word(text, position, width, into, at):
    """The same; up to eight bytes behind the residues are overwritten."""
    written, column = np.uint64(at), np.uint64(position)
    wrong = np.uint64(0)
    for _ in range(width >> 3):
        word = word_at(text, column)
        upper = word & _UPPER
        letters = (upper + _FROM_A) & ~(upper + _BEHIND_Z) & TOP
        gaps = (word + _FROM_HYPHEN) & ~(word + _BEHIND_DOT) & TOP
        wrong |= (word & TOP) | ((letters | gaps) ^ TOP)
        ones = letters >> _SEVEN
        found = _gathered(upper, (letters - ones) | letters)
        for byte in range(EIGHT):
            into[written + byte] = np.uint8(found >> (byte * EIGHT))
        written += (ones * EACH) >> _LAST
        column += EIGHT
    end, rest = by_letter(text, np.int64(column), width & 7, into, np.int64(written))
    return end, wrong == 0 and rest


has_words = binding.get_process_triple().startswith("x86_64") and bool(
    binding.get_host_cpu_features().get("bmi2")
)
without_gaps = by_word if has_words else by_letter
