"""A classifier: an encoder and a head, both by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pfamformer.config import (
    ChainSettings,
    HeadSettings,
    MotifSettings,
    NetworkSettings,
    TaskSettings,
)
from pfamformer.model.chain import Chain
from pfamformer.model.convolutional import ProtCnn, ResNet
from pfamformer.model.encoder import Encoder, initialise
from pfamformer.model.heads import HEADS
from pfamformer.model.heads.chain import ChainHead
from pfamformer.model.heads.pooling import mean_over_residues
from pfamformer.model.kmers import Kmers
from pfamformer.model.motif import Motif
from pfamformer.model.recurrent import Lstm
from pfamformer.sequences.alphabet import CLS, EOS, PAD

#: Encoders of a fixed size that are trained from scratch, by their name in the configuration.
ENCODERS: dict[str, type[nn.Module]] = {
    "protcnn": ProtCnn,
    "resnet": ResNet,
    "lstm": Lstm,
    "kmers": Kmers,
}


def residue_mask(tokens_BL: Tensor) -> Tensor:
    """True at residues: not at ``<cls>``, ``<eos>`` and padding."""
    return (tokens_BL != CLS) & (tokens_BL != EOS) & (tokens_BL != PAD)


def make_encoder(
    network: NetworkSettings | None,
    settings: TaskSettings,
    classes: int = 1,
    windows: Sequence[int] | None = None,
) -> tuple[nn.Module, int]:
    """The encoder of a run, and the width of its embeddings.

    Args:
        network: shape of the Transformer; None where the settings name an encoder of their own.
        classes: what the size of the encoder ``motif`` depends on.
        windows: the same for the encoder ``chain``: windows of each class.
    """
    if isinstance(settings.encoder, ChainSettings):
        if windows is None:
            raise ValueError("the encoder 'chain' needs the windows of each class")
        chain = Chain(settings.encoder, windows)
        return chain, chain.width
    if isinstance(settings.encoder, MotifSettings):
        motif = Motif(settings.encoder, classes)
        return motif, motif.width
    if settings.encoder is not None:
        encoder = ENCODERS[settings.encoder.kind](settings.encoder)
        return encoder, encoder.width
    if network is None:
        raise ValueError("a Transformer needs the network of a pretraining run")
    return Encoder(network), network.width


class LayerMix(nn.Module):
    """A learned weighted mean of all layers, each normalised (Peters et al. 2018)."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers + 1))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """One tensor of the shape of each state."""
        shares = self.weight.softmax(0)
        return sum(
            share * functional.layer_norm(state, state.shape[-1:])
            for share, state in zip(shares, states, strict=True)
        )


class Classifier(nn.Module):
    """Tokens to class logits.

    Args:
        network: shape of the Transformer; None where the settings name an encoder of their own.
        classes: number of classes.
        beside: classes of further tasks, by name; each has a head of its own.
        windows: windows of each class's profile, for the encoder ``chain``.

    Attributes:
        auxiliary: heads that are trained beside the task and not needed afterwards.
    """

    def __init__(
        self,
        network: NetworkSettings | None,
        classes: int,
        settings: HeadSettings,
        beside: Mapping[str, int] | None = None,
        windows: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.encoder, width = make_encoder(network, settings, classes, windows)
        if isinstance(self.encoder, Chain):
            make, self.head = None, ChainHead(self.encoder, settings)
        else:
            make = HEADS[settings.head]
            self.head = make(width, classes, settings)
        self.auxiliary = nn.ModuleDict(
            {name: make(width, count, settings) for name, count in (beside or {}).items()}
        )
        self.head.apply(initialise)
        self.auxiliary.apply(initialise)
        mixes = {}
        if settings.layer_weights and network is not None and settings.encoder is None:
            mixes = {name: LayerMix(network.layers) for name in ("head", *self.auxiliary)}
        self.mixes = nn.ModuleDict(mixes)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Class logits (B, C) of padded tokens (B, L)."""
        if isinstance(self.encoder, Chain) and self._may_be_compiled:
            return self.head.compiled(self.encoder, tokens_BL, residue_mask(tokens_BL))
        states, residue_BL = self._encode(tokens_BL)
        return self.head(self._read("head", states), residue_BL)

    def tasks(self, tokens_BL: Tensor) -> dict[str, Tensor]:
        """Class logits of all tasks from one pass of the encoder; the task proper is "head"."""
        states, residue_BL = self._encode(tokens_BL)
        heads = {"head": self.head, **{n: h for n, h in self.auxiliary.items() if n != "tokens"}}
        return {name: head(self._read(name, states), residue_BL) for name, head in heads.items()}

    def few(self, tokens_BL: Tensor, classes_BK: Tensor) -> Tensor:
        """Logits of a few classes of each sequence (B, K), for the encoder ``chain``."""
        device = next(self.parameters()).device
        tokens_BL, classes_BK = tokens_BL.to(device), classes_BK.to(device)
        if self._may_be_compiled:
            residue_BL = residue_mask(tokens_BL)
            return self.head.compiled_few(self.encoder, tokens_BL, residue_BL, classes_BK)
        places, row_N = self.encoder.responses(tokens_BL, classes_BK)
        return self.head.few(places, row_N, residue_mask(tokens_BL), classes_BK)

    def residues(self, tokens_BL: Tensor) -> Tensor:
        """What each position says about each class (B, L, C), for heads that can tell."""
        states, residue_BL = self._encode(tokens_BL)
        return self.head.residues(self._read("head", states), residue_BL)

    @torch.inference_mode()
    def embed(self, tokens_BL: Tensor) -> Tensor:
        """One vector per sequence (B, D): the mean of its residues' final embeddings."""
        states, residue_BL = self._encode(tokens_BL)
        return mean_over_residues(states[-1], residue_BL)

    @property
    def _may_be_compiled(self) -> bool:
        """Whether a network of chains runs where its compiled form does, without gradients."""
        return self.encoder.filters.weight.is_cpu and not torch.is_grad_enabled()

    def _encode(self, tokens_BL: Tensor) -> tuple[list[Tensor], Tensor]:
        """The states that heads read, the last one last, and where residues are."""
        device = next(self.parameters()).device
        residue_BL = residue_mask(tokens_BL).to(device, non_blocking=True)
        if self.mixes:
            return list(self.encoder.hidden_states(tokens_BL)), residue_BL
        if not isinstance(self.encoder, Encoder):
            tokens_BL = tokens_BL.to(device)
        return [self.encoder(tokens_BL)], residue_BL

    def _read(self, task: str, states: list[Tensor]) -> Tensor:
        return self.mixes[task](states) if self.mixes else states[-1]
