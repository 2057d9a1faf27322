"""Two networks as one: a fast one names a few classes, chains of motifs choose among these.

The first network's time hardly depends on the number of classes, and the second one looks at
``shortlist`` of them only: so does the whole. Profile searches are built in the same way, from a
fast filter to the full model (Eddy 2011), but their filter still meets every profile.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.model.classifier import Classifier

#: Logit of a class that is not on the list: no probability.
NOT_LISTED = -1e4


class Cascade(nn.Module):
    """A classifier of two finished ones, with a weight for each.

    Args:
        first: names classes.
        second: of encoder ``chain``, over the same classes in the same order.
        shortlist: classes named of each sequence; all where there are fewer.

    Attributes:
        weight: how much the log-probabilities of each count, (2,).
    """

    def __init__(self, first: Classifier, second: Classifier, shortlist: int) -> None:
        super().__init__()
        self.first, self.second, self.shortlist = first, second, shortlist
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Class logits (B, C) of padded tokens (B, L): :data:`NOT_LISTED` beyond the list."""
        classes_BK, evidence_BK2, count = self.evidence(tokens_BL)
        listed_BK = evidence_BK2 @ self.weight
        out_BC = listed_BK.new_full((len(tokens_BL), count), NOT_LISTED)
        return out_BC.scatter(1, classes_BK, listed_BK)

    def evidence(self, tokens_BL: Tensor) -> tuple[Tensor, Tensor, int]:
        """The listed classes, what both networks say of them, and the number of all classes.

        Returns:
            Classes (B, K), the likeliest for the first network first, and log-probabilities of both
            among them (B, K, 2), nats.
        """
        all_BC = self.first(tokens_BL).float()
        first_BK, classes_BK = all_BC.topk(min(self.shortlist, all_BC.shape[1]))
        second_BK = self.second.few(tokens_BL, classes_BK).float()
        both = [first_BK.log_softmax(-1), second_BK.log_softmax(-1)]
        return classes_BK, torch.stack(both, -1), all_BC.shape[1]
