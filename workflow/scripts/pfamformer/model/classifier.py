"""A classifier: an encoder and a head, both by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pfamformer.config import FinetuneSettings, MotifSettings, NetworkSettings, TaskSettings
from pfamformer.model.convolutional import ProtCnn, ResNet
from pfamformer.model.encoder import Encoder, initialise
from pfamformer.model.heads import HEADS
from pfamformer.model.heads.pooling import mean_over_residues
from pfamformer.model.motif import Motif
from pfamformer.model.recurrent import Lstm
from pfamformer.sequences.alphabet import CLS, EOS, PAD

#: Encoders of a fixed size that are trained from scratch, by their name in the configuration.
ENCODERS: dict[str, type[nn.Module]] = {"protcnn": ProtCnn, "resnet": ResNet, "lstm": Lstm}


def residue_mask(tokens_BL: Tensor) -> Tensor:
    """True at residues: not at ``<cls>``, ``<eos>`` and padding."""
    return (tokens_BL != CLS) & (tokens_BL != EOS) & (tokens_BL != PAD)


def make_encoder(
    network: NetworkSettings | None, settings: TaskSettings, classes: int = 1
) -> tuple[nn.Module, int]:
    """The encoder of a run, and the width of its embeddings.

    Args:
        network: shape of the Transformer; None where the settings name an encoder of their own.
        classes: what the size of the encoder ``motif`` depends on.
    """
    if isinstance(settings.encoder, MotifSettings):
        motif = Motif(settings.encoder, classes)
        return motif, motif.width
    if settings.encoder is not None:
        encoder = ENCODERS[settings.encoder.kind](settings.encoder)
        return encoder, encoder.width
    if network is None:
        raise ValueError("a Transformer needs the network of a pretraining run")
    return Encoder(network), network.width


class Classifier(nn.Module):
    """Tokens to class logits.

    Args:
        network: shape of the Transformer; None where the settings name an encoder of their own.
        classes: number of classes.
    """

    def __init__(
        self, network: NetworkSettings | None, classes: int, settings: FinetuneSettings
    ) -> None:
        super().__init__()
        self.encoder, width = make_encoder(network, settings, classes)
        self.head = HEADS[settings.head](width, classes, settings)
        self.head.apply(initialise)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Class logits (B, C) of padded tokens (B, L)."""
        return self.head(self.encoder(tokens_BL), residue_mask(tokens_BL))

    def residues(self, tokens_BL: Tensor) -> Tensor:
        """What each position says about each class (B, L, C), for heads that can tell."""
        return self.head.residues(self.encoder(tokens_BL), residue_mask(tokens_BL))

    @torch.inference_mode()
    def embed(self, tokens_BL: Tensor) -> Tensor:
        """One vector per sequence (B, D): the mean of its residues' final embeddings."""
        return mean_over_residues(self.encoder(tokens_BL), residue_mask(tokens_BL))
