"""Tokens of several residues: byte-pair encoding (Sennrich et al. 2016) learnt from a corpus.

The 33 tokens of the residue alphabet keep their numbers; merged ones follow in the order in which
they were learnt. The library is Hugging Face's ``tokenizers``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pfamformer.errors import InputError
from pfamformer.sequences.alphabet import LETTERS, TOKENS

# Sequences that merges are learnt from: pair frequencies change little beyond, time and memory do.
LEARNT_FROM = 20_000
# No token is longer, residues: frequent repeats would otherwise become tokens of their own.
LONGEST = 8


class BytePairs:
    """Residue tokens to tokens of one or several residues.

    Args:
        merges: pairs of tokens to join, as letters, in order.
    """

    def __init__(self, merges: Sequence[Sequence[str]]) -> None:
        library = _library()
        self.merges = [(first, second) for first, second in merges]
        self.size = len(TOKENS) + len(merges)
        vocabulary = {token: number for number, token in enumerate(TOKENS)}
        for pair in merges:
            vocabulary.setdefault("".join(pair), len(vocabulary))
        self._tokenizer = library.Tokenizer(
            library.models.BPE(vocab=vocabulary, merges=self.merges)
        )

    def __call__(self, residues: np.ndarray) -> np.ndarray:
        """Tokens (merged length,), ``int64``, of residue tokens (length,)."""
        return np.array(self._tokenizer.encode(_letters(residues)).ids, dtype=np.int64)

    def counts(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """How often each token occurs in the sequences that merges are learnt from, (size,)."""
        found = np.zeros(self.size, dtype=np.int64)
        for residues in _spread(sequences):
            found += np.bincount(self(residues), minlength=self.size)
        return found

    def letters(self, tokens: np.ndarray) -> str:
        """The residues of merged tokens, as letters."""
        return "".join(self._tokenizer.id_to_token(int(token)) for token in tokens)


def learn(sequences: Sequence[np.ndarray], merges: int) -> BytePairs:
    """Learn the most frequent pairs of sequences spread evenly over a corpus; always the same ones.

    Args:
        sequences: residue tokens of each.
        merges: pairs to learn.

    Raises:
        InputError: the sequences hold fewer pairs that occur twice; the library is not installed.
    """
    library = _library()
    # The size counts the letters too, of which there are fewer than tokens of the alphabet.
    trainer = library.trainers.BpeTrainer(
        vocab_size=merges + len(TOKENS), min_frequency=2, max_token_length=LONGEST,
        show_progress=False,
    )  # fmt: skip
    learner = library.Tokenizer(library.models.BPE())
    learner.train_from_iterator(map(_letters, _spread(sequences)), trainer)
    found = json.loads(learner.to_str())["model"]["merges"][:merges]
    if len(found) < merges:
        raise InputError(
            "network.merges",
            f"{merges} pairs are wanted, {len(found)} occur more than once in the corpus",
            remedy="Lower it, or take a larger corpus",
        )
    return BytePairs(found)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise InputError(
            "network.merges",
            "the library tokenizers is not installed",
            remedy="pip install '.[bpe]', or leave the setting out",
        ) from error
    return tokenizers


def _spread(sequences: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    chosen = np.unique(np.linspace(0, len(sequences) - 1, LEARNT_FROM).astype(int))
    return (sequences[int(number)] for number in chosen)


def _letters(residues: np.ndarray) -> str:
    return residues.astype(np.uint8).tobytes().translate(LETTERS).decode("ascii")
