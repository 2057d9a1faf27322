"""What a network is trained to do: each objective is a small class behind one interface."""

from __future__ import annotations

from pfamformer.training.objectives.base import Objective, Outcome
from pfamformer.training.objectives.causal import Autoregressive, Permutation
from pfamformer.training.objectives.classification import (
    AgainstFew,
    Classification,
    SeveralLabels,
)
from pfamformer.training.objectives.distillation import Distillation, TaughtClassification
from pfamformer.training.objectives.masked import (
    MaskedLanguageModelling,
    SpanMasking,
    inverse_frequency,
)
from pfamformer.training.objectives.regulariser import TokenRegulariser, WithRegulariser
from pfamformer.training.objectives.replaced import ReplacedTokens

__all__ = [
    "AgainstFew", "Autoregressive", "Classification", "Distillation", "MaskedLanguageModelling",
    "Objective", "Outcome", "Permutation", "ReplacedTokens", "SeveralLabels", "SpanMasking",
    "TaughtClassification", "TokenRegulariser", "WithRegulariser", "inverse_frequency",
]  # fmt: skip
