"""Classification heads: final embeddings to class logits (study, section 3.4).

A new head is one file here, a line in ``HEADS`` and its name in
:class:`pfamformer.config.HeadSettings`. Tensors: B sequences, L positions, D width, C classes.
"""

from __future__ import annotations

from torch import nn

from pfamformer.model.heads.first_token import Classic, Dropout
from pfamformer.model.heads.linear_attention import LinearAttention
from pfamformer.model.heads.motif import MotifHead
from pfamformer.model.heads.multispace import MultispaceMax, MultispaceMean
from pfamformer.model.heads.per_residue import PredEachMax, PredEachMean
from pfamformer.model.heads.pooled import PoolMax, PoolMean

#: Name in the configuration → class. Every class is built as ``(width, classes, settings)`` and
#: called as ``(x_BLD, residue_BL)``, where ``residue_BL`` is true at residues (not at ``<cls>``,
#: ``<eos>`` and padding). Those with a method ``residues`` also say what each residue adds.
HEADS: dict[str, type[nn.Module]] = {
    "classic": Classic,
    "dropout": Dropout,
    "predeach_mean": PredEachMean,
    "predeach_max": PredEachMax,
    "multispace_max": MultispaceMax,
    "multispace_mean": MultispaceMean,
    "linattn": LinearAttention,
    "pool_max": PoolMax,
    "pool_mean": PoolMean,
    "motif": MotifHead,
}
