"""Convolutional encoders that are trained from scratch: ProtCNN and TAPE's ResNet.

Tensors: B sequences, L positions, F filters. Padding is zero before every convolution, so that a
sequence's embedding does not depend on what shares its batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.config import ProtCnnSettings, ResNetSettings
from pfamformer.sequences.alphabet import PAD, TOKENS


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics are those of real positions alone."""

    def forward(self, x_BFL: Tensor, present_B1L: Tensor) -> Tensor:
        """Normalise (B, F, L); padding stays zero."""
        if not self.training:
            return super().forward(x_BFL) * present_B1L
        count = present_B1L.sum()
        x = x_BFL.float()
        mean_F = (x * present_B1L).sum((0, 2)) / count
        centred = (x - mean_F[:, None]) * present_B1L
        variance_F = centred.square().sum((0, 2)) / count
        with torch.no_grad():
            unbiased_F = variance_F * count / (count - 1).clamp(min=1)
            self.running_mean.lerp_(mean_F, self.momentum)
            self.running_var.lerp_(unbiased_F, self.momentum)
        scale_F = self.weight * (variance_F + self.eps).rsqrt()
        return (centred * scale_F[:, None] + self.bias[:, None] * present_B1L).to(x_BFL.dtype)


def same_convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """A convolution whose output is as long as its input."""
    return nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding="same")


class DilatedBlock(nn.Module):
    """Normalise, activate, convolve to fewer filters, dilated; again, back; add to the input."""

    def __init__(self, settings: ProtCnnSettings, block: int) -> None:
        super().__init__()
        filters = settings.filters
        bottleneck = int(settings.bottleneck * filters)
        dilation = settings.dilation ** max(0, block - settings.first_dilated + 1)
        self.first_norm = MaskedBatchNorm(filters)
        self.first = same_convolution(filters, bottleneck, settings.kernel, dilation)
        self.second_norm = MaskedBatchNorm(bottleneck)
        self.second = same_convolution(bottleneck, filters, 1)

    def forward(self, x_BFL: Tensor, present_B1L: Tensor) -> Tensor:
        """Transform (B, F, L) to (B, F, L)."""
        hidden = self.first(F.relu(self.first_norm(x_BFL, present_B1L))) * present_B1L
        return x_BFL + self.second(F.relu(self.second_norm(hidden, present_B1L))) * present_B1L


class ProtCnn(nn.Module):
    """The dilated residual network of Bileschi et al. 2022 up to its pooling.

    Blocks before ``first_dilated`` (counted from 0) are not dilated; from there on the dilation is
    multiplied in each. The published network pools by maximum: head ``pool_max``.
    """

    def __init__(self, settings: ProtCnnSettings) -> None:
        super().__init__()
        self.width = settings.filters
        self.embed = same_convolution(len(TOKENS), settings.filters, settings.kernel)
        self.blocks = nn.ModuleList(DilatedBlock(settings, n) for n in range(settings.blocks))

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Final embeddings (B, L, F) of padded tokens (B, L)."""
        present_B1L, x_BFL = one_hot(tokens_BL, self.embed.weight)
        x_BFL = self.embed(x_BFL) * present_B1L
        for block in self.blocks:
            x_BFL = block(x_BFL, present_B1L)
        return x_BFL.transpose(1, 2)


class ResNetBlock(nn.Module):
    """Two convolutions with batch normalisation, added to the input before the last activation."""

    def __init__(self, filters: int, kernel: int) -> None:
        super().__init__()
        self.first = same_convolution(filters, filters, kernel)
        self.first_norm = MaskedBatchNorm(filters)
        self.second = same_convolution(filters, filters, kernel)
        self.second_norm = MaskedBatchNorm(filters)

    def forward(self, x_BFL: Tensor, present_B1L: Tensor) -> Tensor:
        """Transform (B, F, L) to (B, F, L)."""
        hidden = F.relu(self.first_norm(self.first(x_BFL), present_B1L))
        return F.relu(x_BFL + self.second_norm(self.second(hidden), present_B1L))


class ResNet(nn.Module):
    """The residual network that TAPE compares with (Rao et al. 2019): no dilation."""

    def __init__(self, settings: ResNetSettings) -> None:
        super().__init__()
        self.width = settings.filters
        self.embed = same_convolution(len(TOKENS), settings.filters, 1)
        self.blocks = nn.ModuleList(
            ResNetBlock(settings.filters, settings.kernel) for _ in range(settings.blocks)
        )

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """Final embeddings (B, L, F) of padded tokens (B, L)."""
        present_B1L, x_BFL = one_hot(tokens_BL, self.embed.weight)
        x_BFL = self.embed(x_BFL) * present_B1L
        for block in self.blocks:
            x_BFL = block(x_BFL, present_B1L)
        return x_BFL.transpose(1, 2)


def one_hot(tokens_BL: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Presence (B, 1, L) and one-hot tokens (B, V, L), 0 at padding, in the format of ``like``."""
    present_B1L = (tokens_BL != PAD)[:, None].to(like.dtype)
    hot_BVL = F.one_hot(tokens_BL, len(TOKENS)).to(like.dtype).transpose(1, 2)
    return present_B1L, hot_BVL * present_B1L
