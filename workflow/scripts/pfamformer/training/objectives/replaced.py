"""Replaced-token detection: a generator fills masks, the network finds what it made up."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from pfamformer.config import NetworkSettings
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.training.batches import Batch
from pfamformer.training.objectives.base import FIRST, LAST, Outcome, rows_at, standard
from pfamformer.training.objectives.masked import MaskedLanguageModelling

# Clark et al. 2020, section 3: the detector's loss counts 50 times the generator's.
DETECTOR_WEIGHT = 50.0
# Their table 6: generators a quarter to half as wide as the network do best.
GENERATOR_WIDTH = 4


class ReplacedTokens:
    """ELECTRA's objective (Clark et al. 2020); the network proper is the detector.

    Args:
        mlm: the generator's objective.
    """

    def __init__(self, mlm: MaskedLanguageModelling) -> None:
        self.mlm = mlm

    def equip(self, model: MaskedLanguageModel) -> None:
        """Add the generator and the detector's head to the model's auxiliary parts."""
        network = model.encoder.network
        model.auxiliary["generator"] = MaskedLanguageModel(generator_of(network))
        model.auxiliary["detector"] = nn.Linear(network.width, 1)

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Mask targets for the generator, and draw what decides its answers."""
        batch = self.mlm.prepare(batch, stream)
        noise = torch.rand(batch.tokens.shape, generator=stream)
        residues = int(standard(batch.tokens).sum())
        scale = torch.full((len(batch.rows),), batch.total / max(1, residues))
        return replace(batch, extra={"noise": noise, "targets_per_residue": scale})

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """The generator's loss plus the detector's; accuracy is the detector's.

        The detector decides at every residue; its loss is scaled to the generator's targets.
        """
        generator, device = model.auxiliary["generator"], next(model.parameters()).device
        logits_NV = generator.logits(
            rows_at(generator.encoder(batch.inputs), batch.targets)
        ).float()
        truth_N = batch.tokens[batch.targets].to(device)
        loss = F.cross_entropy(logits_NV, truth_N, reduction="sum")
        # Inverse of the distribution function at the noise: the same draw on every device.
        shares_NR = logits_NV.detach()[:, FIRST : LAST + 1].softmax(-1).cumsum(-1)
        noise_N1 = batch.extra["noise"][batch.targets].to(device)[:, None]
        drawn_N = FIRST + (shares_NR < noise_N1).sum(-1).clamp(max=LAST - FIRST)
        inputs = batch.tokens.to(device, copy=True)
        inputs[batch.targets.to(device)] = drawn_N
        residue = standard(batch.tokens)
        scores_M = model.auxiliary["detector"](rows_at(model.encoder(inputs), residue)).squeeze(1)
        fake_M = (inputs.cpu() != batch.tokens)[residue].to(device)
        found = F.binary_cross_entropy_with_logits(
            scores_M.float(), fake_M.float(), reduction="sum"
        )
        scale = batch.extra["targets_per_residue"][0].item()
        right = ((scores_M > 0) == fake_M).sum() * scale
        loss = loss + DETECTOR_WEIGHT * scale * found
        return Outcome(loss, torch.tensor(len(truth_N)), right)


def generator_of(network: NetworkSettings) -> NetworkSettings:
    """A network of the same depth, a quarter as wide, with heads of the same size."""
    heads = max(1, network.heads // GENERATOR_WIDTH)
    return network.model_copy(
        update={
            "width": heads * (network.width // network.heads),
            "heads": heads,
            "feed_forward": max(8, network.feed_forward // GENERATOR_WIDTH),
            "embedding_width": None,
        }
    )
