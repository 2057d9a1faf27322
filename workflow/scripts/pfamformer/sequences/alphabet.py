"""The residue alphabet: the 33 tokens of ESM-2, in its order, so that weights can be exchanged.

Source: Lin et al., Science 379 (2023); the token order is that of the published checkpoints.
"""

from __future__ import annotations

import numpy as np

TOKENS: tuple[str, ...] = (
    "<cls>", "<pad>", "<eos>", "<unk>",
    *"LAGVSERTIDPKQNFYMHWCXBUZO.-",
    "<null_1>", "<mask>",
)  # fmt: skip
INDEX = {token: i for i, token in enumerate(TOKENS)}
CLS, PAD, EOS, UNK, MASK = (INDEX[t] for t in ("<cls>", "<pad>", "<eos>", "<unk>", "<mask>"))

#: The 20 standard residues, in token order (token 4 = L … token 23 = C).
STANDARD = "LAGVSERTIDPKQNFYMHWC"
#: All letters that a protein sequence may hold: standard, ambiguous (B X Z J) and rare (U O).
RESIDUES = STANDARD + "XBUZOJ"

#: What stands for a character that is no residue where text is translated by the block.
INVALID = 255
_LOOKUP = np.full(256, INVALID, dtype=np.uint8)
for _letter in STANDARD + "XBUZO":
    _LOOKUP[ord(_letter)] = _LOOKUP[ord(_letter.lower())] = INDEX[_letter]
# ESM-2 has no token for J (Leu or Ile): read it as unknown residue.
_LOOKUP[ord("J")] = _LOOKUP[ord("j")] = INDEX["X"]
#: The token of each byte of text, for ``bytes.translate``.
TRANSLATION = _LOOKUP.tobytes()
#: The letter of each token, the other way round; what is no residue becomes X.
LETTERS = "".join(t if len(t) == 1 else "X" for t in TOKENS).encode().ljust(256, b"X")
#: Tokens of residues that a sequence leaves open: any, Asx, Glx.
AMBIGUOUS = tuple(INDEX[letter] for letter in "XBZ")


def encode(sequence: str | bytes) -> np.ndarray:
    """Residue tokens of a sequence, shape (length,), ``uint8``, without special tokens.

    Raises:
        ValueError: at the first character that is no residue, with its 1-based position.
    """
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    tokens = _LOOKUP[np.frombuffer(raw, dtype=np.uint8)]
    bad = np.flatnonzero(tokens == INVALID)
    if len(bad):
        position = int(bad[0])
        raise ValueError(f"{chr(raw[position])!r} at residue {position + 1} is not an amino acid")
    return tokens


def decode(tokens: np.ndarray) -> str:
    """The sequence of residue tokens, the inverse of :func:`encode` (J comes back as X)."""
    return "".join(TOKENS[t] for t in tokens)
