"""Which sequences of a corpus contain a held-out domain, letter by letter.

All residues of UniParc are looked at, so this is compiled by Numba. A domain is found by words of
eight residues. Only every eighth position of a sequence is looked up, which meets one of the first
eight words of every domain that stands there; a bit turns nearly all positions away. Domains too
short for as many words are looked up at more positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pfamformer.compiled import compiled
from pfamformer.sequences.alphabet import TRANSLATION
from pfamformer.sequences.blocks import Block, offsets_of

# Residues of a word, which is read as one 64-bit number: 20^8 of them.
WORD = 8
# Positions from one look-up to the next; a domain has at least as many words.
STEPS = (8, 4, 1)
# Fibonacci hashing: 2^64 over the golden ratio; the leading bits of the product are the hash.
_ODD = np.uint64(0x9E3779B97F4A7C15)
# Bits of the filter for each word: 1 look-up in 32 passes by chance. At least 2^15 bits, 4 KB.
_BITS_EACH, _FEWEST_BITS = 32, 15


class HeldOut:
    """The domains that pretraining must not see.

    Args:
        sequences: every domain outside the training part.
    """

    def __init__(self, sequences: Iterable[str]) -> None:
        domains = [s.encode("ascii").translate(TRANSLATION) for s in sorted(set(sequences))]
        self._tiny = [domain for domain in domains if len(domain) < WORD]
        by_step: dict[int, list[bytes]] = {step: [] for step in STEPS}
        for domain in domains:
            if words := max(0, len(domain) - WORD + 1):
                by_step[next(step for step in STEPS if step <= words)].append(domain)
        self._words = [_Words(some, step) for step, some in by_step.items() if some]

    def contained_in(self, block: Block, wanted: np.ndarray | None = None) -> np.ndarray:
        """Which sequences of ``block`` have a held-out domain as a part, (sequences,), ``bool``.

        Args:
            wanted: those that are looked at (sequences,), ``bool``; all where it is left out.
        """
        if wanted is None:
            wanted = np.ones(len(block), dtype=bool)
        found = ~wanted
        text = block.tokens.tobytes() if self._tiny else b""
        for domain in self._tiny:
            start = text.find(domain)
            while start >= 0:
                row = int(np.searchsorted(block.offsets, start, side="right")) - 1
                found[row] |= start + len(domain) <= block.offsets[row + 1]
                start = text.find(domain, start + 1)
        for words in self._words:
            words.find(block, found)
        return found & wanted


class _Words:
    """A look-up of domains by their first ``step`` words.

    Args:
        domains: tokens, at least ``WORD + step - 1`` of each.
    """

    def __init__(self, domains: Sequence[bytes], step: int) -> None:
        self._step = step
        self._tokens = np.frombuffer(b"".join(domains), np.uint8)
        self._offsets = offsets_of(np.array([len(domain) for domain in domains], np.int64))
        #: Word number step·i + k is the one from residue k of domain i on.
        self._words = np.array(
            [int.from_bytes(d[k : k + WORD], "little") for d in domains for k in range(step)],
            np.uint64,
        )
        count, hashes = len(self._words), self._words * _ODD
        bits = max(_FEWEST_BITS, (_BITS_EACH * count).bit_length())
        self._filter_shift, slots = np.uint64(64 - bits), hashes >> np.uint64(64 - bits)
        self._filter = np.zeros(1 << (bits - 6), np.uint64)
        flags = np.uint64(1) << (slots & np.uint64(63))
        np.bitwise_or.at(self._filter, slots >> np.uint64(6), flags)
        # Chains of words whose hashes begin alike: the first of each, and what follows each word.
        bits = (2 * count).bit_length()
        self._chain_shift = np.uint64(64 - bits)
        self._first, self._next = np.full(1 << bits, -1, np.int32), np.full(count, -1, np.int32)
        for number, slot in enumerate((hashes >> self._chain_shift).tolist()):
            self._next[number], self._first[slot] = self._first[slot], number

    def find(self, block: Block, found: np.ndarray) -> None:
        """Mark in ``found`` (sequences,) those that contain a domain; marked ones are skipped."""
        _find(
            block.words("<u8"), block.tokens, block.offsets, found, self._step,
            self._filter, self._filter_shift, self._first, self._next, self._chain_shift,
            self._words, self._tokens, self._offsets,
        )  # fmt: skip


@compiled
def _find(
    words, tokens, offsets, found, step, bits, bits_shift, first, following, chain_shift, known,
    domains, domain_offsets,
):  # fmt: skip
    for row in np.flatnonzero(~found):
        begin, end = offsets[row], offsets[row + 1]
        for position in range(begin, end - WORD + 1, step):
            # Unsigned, so that the index cannot count from the end.
            word = words[np.uint64(position)]
            hashed = word * _ODD
            slot = hashed >> bits_shift
            if (bits[slot >> np.uint64(6)] >> (slot & np.uint64(63))) & np.uint64(1):
                number = first[hashed >> chain_shift]
                while number >= 0 and not found[row]:
                    domain = number // step
                    start = position - number % step
                    found[row] = (
                        known[number] == word
                        and start >= begin
                        and start + domain_offsets[domain + 1] - domain_offsets[domain] <= end
                        and _stands_at(tokens, start, domains, domain_offsets, domain)
                    )
                    number = following[number]
                if found[row]:
                    break


@compiled
def _stands_at(tokens, start, domains, offsets, domain):
    for place in range(offsets[domain], offsets[domain + 1]):
        if tokens[start] != domains[place]:
            return False
        start += 1
    return True
