"""Masked-residue loss of single sequences (table 1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from pfamformer.config import PretrainSettings
from pfamformer.training.batches import Sequences, read_in_order
from pfamformer.training.objectives import MaskedLanguageModelling


def masked_losses(
    model: nn.Module,
    sequences: Sequences,
    objective: MaskedLanguageModelling,
    *,
    budget: int,
    max_length: int,
    seed: int,
) -> pd.DataFrame:
    """One row per sequence: ``targets``, ``loss`` summed over them (nats), ``right`` predictions.

    Targets are drawn from ``seed`` alone: two networks are asked for the same residues.
    """
    device = next(model.parameters()).device
    stream = torch.Generator().manual_seed(seed)
    found = np.zeros((len(sequences), 3))
    for batch in read_in_order(sequences, budget, max_length):
        inputs, targets = objective.corrupt(batch.tokens, stream)
        row = targets.nonzero(as_tuple=True)[0].numpy()
        with torch.inference_mode():
            x_BLD = model.encoder(inputs.to(device))
            logits_NV = model.logits(x_BLD[targets.to(device)]).float().cpu()
        truth_N = batch.tokens[targets]
        loss_N = F.cross_entropy(logits_NV, truth_N, reduction="none").double()
        right_N = logits_NV.argmax(-1) == truth_N
        for column, values in enumerate((torch.ones(len(row)), loss_N, right_N)):
            sums = np.bincount(row, weights=values.numpy(), minlength=len(batch.rows))
            found[batch.rows, column] = sums
    table = pd.DataFrame(found, columns=["targets", "loss", "right"])
    return table.astype({"targets": int, "right": int})


def objectives(settings: PretrainSettings) -> Mapping[str, MaskedLanguageModelling]:
    """How residues are hidden: as in training, and every target behind ``<mask>``."""
    return {
        "as trained": MaskedLanguageModelling(
            settings.target_share, settings.mask_share, settings.random_share
        ),
        "all masked": MaskedLanguageModelling(settings.target_share, 1.0, 0.0),
    }
