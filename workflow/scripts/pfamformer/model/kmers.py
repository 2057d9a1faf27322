"""An encoder without context: the k-mers that begin at each residue, hashed into a table.

Under a pooling head it is a linear model of k-mer counts through an embedding, as fastText reads
words (Joulin et al. 2017); GOLabeler's and NetGO's member of counted 3-mers is its relative. It
reads millions of residues a minute on one core.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import KmerSettings
from pfamformer.sequences.alphabet import PAD, TOKENS

# A prime beyond the number of tokens: k-mers of three have numbers of their own, longer ones are
# spread over the table.
_BASE = 37
# Knuth's multiplicative hash: 2^32 over the golden ratio, of whose product 32 bits are kept.
_SPREAD, _BITS = 2_654_435_761, 32


class Kmers(nn.Module):
    """The mean embedding of the k-mers of each size that begin at a residue."""

    def __init__(self, settings: KmerSettings) -> None:
        super().__init__()
        self.width, self.sizes = settings.width, settings.sizes
        self.tables = nn.ModuleList(
            nn.Embedding(min(settings.buckets, len(TOKENS) * _BASE ** (size - 1)), self.width)
            for size in self.sizes
        )
        for table in self.tables:
            # Small beside one: an untrained network says what its head's bias says.
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Embeddings (B, L, D); a k-mer that reaches beyond the sequence sees padding there."""
        found = [
            table(numbers(tokens_BL, size, table.num_embeddings))
            for size, table in zip(self.sizes, self.tables, strict=True)
        ]
        return sum(found) / len(found)


def numbers(tokens_BL: Tensor, size: int, buckets: int) -> Tensor:
    """Rows of a table (B, L) for the k-mers of this size: the same k-mer, the same row."""
    padded = nn.functional.pad(tokens_BL.long(), (0, size - 1), value=PAD)
    length = tokens_BL.shape[1]
    code = torch.zeros_like(tokens_BL, dtype=torch.long)
    for ahead in range(size):
        code = code * _BASE + padded[:, ahead : ahead + length]
    if buckets == len(TOKENS) * _BASE ** (size - 1):
        return code
    return ((code * _SPREAD) % 2**_BITS) * buckets >> _BITS
