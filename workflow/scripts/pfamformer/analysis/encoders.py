"""Encoders that are compared without training: ours before and after, and an LSTM before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pfamformer.analysis.networks import Snapshot
from pfamformer.config import LstmSettings
from pfamformer.model.recurrent import Lstm


def encoders_of(snapshots: Sequence[Snapshot], seed: int) -> list[nn.Module]:
    """The trained and the untrained Transformer of a run, and an untrained LSTM of their width.

    The LSTM has TAPE's three layers in each direction; both directions together are as wide as the
    Transformer, so that vectors compare.
    """
    trained, untrained = (snapshots[i].load().encoder for i in (-1, 0))
    width = untrained.network.width
    torch.manual_seed(seed)
    lstm = Lstm(LstmSettings(kind="lstm", width=width, hidden=width // 2)).eval()
    return [trained, untrained, lstm]
