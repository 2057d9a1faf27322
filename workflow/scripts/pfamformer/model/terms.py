"""A classifier of GO terms: logits of each term given its conditions, and their products.

Tensors: B sequences, L positions, T terms, P (term, condition) pairs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor

from pfamformer.config import NetworkSettings, TermsSettings
from pfamformer.model.classifier import Classifier

# Steps of a natural logarithm: sums of thousands of them stay exact in float64.
_FIXED = 2.0**24


class TermClassifier(Classifier):
    """Tokens to logits of terms. The head says how a protein differs from the average.

    Args:
        log_odds: of each term on average, (T,): what an untrained network begins with, so that
            rare terms need no training to be rare.
    """

    def __init__(
        self, network: NetworkSettings | None, log_odds: Tensor, settings: TermsSettings
    ) -> None:
        super().__init__(network, len(log_odds), settings)
        self.register_buffer("log_odds", log_odds.float())

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Logits (B, T) of each term given its conditions."""
        return super().forward(tokens_BL).float() + self.log_odds


def sparse(closure: csr_matrix) -> Tensor:
    """A sparse tensor (T, T) out of a SciPy matrix."""
    entries = closure.tocoo()
    index = torch.stack([torch.from_numpy(entries.row), torch.from_numpy(entries.col)]).long()
    return torch.sparse_coo_tensor(
        index, torch.from_numpy(entries.data).double(), entries.shape, check_invariants=True
    ).coalesce()


def log_probabilities(shares_BT: Tensor, closure_TT: Tensor) -> Tensor:
    """Log-probability (B, T) of each term: the sum over it and all that it is conditional on.

    Args:
        shares_BT: log-probability of each term given its conditions.
        closure_TT: sparse, 1 where a term needs another one, and at itself.
    """
    return torch.sparse.mm(closure_TT, shares_BT.T).T


def exact_shares(logits_BT: Tensor) -> Tensor:
    """Log-probabilities given the conditions as fixed-point numbers, float64.

    Their sums are exact in any order, so that no rounding puts a parent below its child.
    """
    return torch.round(F.logsigmoid(logits_BT.double()) * _FIXED) / _FIXED
