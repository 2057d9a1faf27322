"""Classification heads: final embeddings to class logits (study, section 3.4).

A new head is one class here, registered under its name in the configuration.
"""

from __future__ import annotations

from torch import Tensor, nn

from pfamformer.config import FinetuneSettings, NetworkSettings
from pfamformer.model.encoder import Encoder, initialise


class Classic(nn.Module):
    """Linear projection of the final ``<cls>`` vector."""

    def __init__(self, width: int, classes: int, settings: FinetuneSettings) -> None:
        super().__init__()
        self.project = nn.Linear(width, classes)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Class logits (B, classes)."""
        return self.project(x_BLD[:, 0])


class Dropout(Classic):
    """The same with dropout on the ``<cls>`` vector: the study's best head."""

    def __init__(self, width: int, classes: int, settings: FinetuneSettings) -> None:
        super().__init__(width, classes, settings)
        self.dropout = nn.Dropout(settings.head_dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Class logits (B, classes)."""
        return self.project(self.dropout(x_BLD[:, 0]))


HEADS: dict[str, type[nn.Module]] = {"classic": Classic, "dropout": Dropout}


class Classifier(nn.Module):
    """An encoder and a head."""

    def __init__(self, network: NetworkSettings, classes: int, settings: FinetuneSettings) -> None:
        super().__init__()
        self.encoder = Encoder(network)
        self.head = HEADS[settings.head](network.width, classes, settings)
        self.head.apply(initialise)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Class logits (B, classes) of padded tokens (B, L)."""
        return self.head(self.encoder(tokens_BL))
