"""How attention spreads and how asymmetric it is, head by head (figure 13, table 5).

Weights are consumed layer by layer and sequence by sequence: only a few numbers per sequence, layer
and head are kept. Axes: H heads, L tokens of one sequence, special tokens included.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pfamformer.analysis.networks import Snapshot
from pfamformer.command import log
from pfamformer.training.batches import Sequences, read_in_order

COLUMNS = [
    "step", "layer", "sequence", "head", "tokens",
    "entropy", "effective", "special", "norm", "asymmetry",
]  # fmt: skip


def measures(weights_HLL: Tensor) -> dict[str, Tensor]:
    """Spread and asymmetry of the attention of one sequence, each (H,).

    ``entropy``: mean over positions of the entropy of what they attend to, nats. ``effective``: the
    mean of its exponential, the number of tokens that equal shares of attention would go to.
    ``special``: share of attention on the first and the last token, ``<cls>`` and ``<eos>``.
    ``norm``: Frobenius norm of A = (M − Mᵀ)/2, the study's measure (section 4.6). ``asymmetry``:
    that norm over M's, which does not grow with the length: 0 for a symmetric M, 1/√2 where no two
    positions attend to each other.
    """
    w = weights_HLL.double()
    entropy_HL = -torch.special.xlogy(w, w).sum(-1)
    norm_H = torch.linalg.matrix_norm((w - w.transpose(-1, -2)) / 2)
    return {
        "entropy": entropy_HL.mean(-1),
        "effective": entropy_HL.exp().mean(-1),
        "special": w[..., [0, -1]].sum(-1).mean(-1),
        "norm": norm_H,
        "asymmetry": norm_H / torch.linalg.matrix_norm(w),
    }


def attention_statistics(
    snapshots: Sequence[Snapshot],
    sequences: Sequences,
    *,
    budget: int,
    max_length: int,
    device: torch.device,
) -> pd.DataFrame:
    """One row per snapshot, layer (from 1), head (from 1) and sequence, with its ``tokens``.

    Args:
        budget: tokens of a batch, padding included.
        max_length: residues; longer sequences are cut at the end.
    """
    rows: list[tuple] = []
    for snapshot in snapshots:
        encoder = snapshot.load().encoder.to(device)
        for batch in read_in_order(sequences, budget, max_length):
            lengths = np.minimum(sequences.lengths[batch.rows], max_length) + 2
            with torch.inference_mode():
                for layer, w_BHLL in enumerate(
                    encoder.attention_layers(batch.tokens.to(device)), 1
                ):
                    for b, (row, n) in enumerate(zip(batch.rows, lengths, strict=True)):
                        # As Python's numbers: kept tensors of some bytes would lie between the
                        # batches' freed memory and cut it up, which took 4 GB for the demo.
                        found = [v.tolist() for v in measures(w_BHLL[b, :, :n, :n]).values()]
                        rows += [
                            (snapshot.step, layer, int(row), head, int(n), *values)
                            for head, values in enumerate(zip(*found, strict=True), 1)
                        ]
        log.info("step %d: attention of %d sequences", snapshot.step, len(sequences))
    return pd.DataFrame(rows, columns=COLUMNS)
