"""Domains of proteins by the residue tagger: probabilities, decoding, ``calls``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from pfamformer.config import NetworkSettings, TaggerSettings
from pfamformer.methods import TAGGER, chain_tagging
from pfamformer.methods.decoding import Domain, Grammar, States, decode, posteriors
from pfamformer.methods.outputs import places
from pfamformer.model.chain_tagger import ChainTagger
from pfamformer.model.tagger import FIRST, LAST, MIDDLE, OUTSIDE, Tagger
from pfamformer.model.weights import description
from pfamformer.sequences.alphabet import PAD
from pfamformer.training.batches import Batch

#: Families that compete for a protein. Real proteins hold few; more only costs time.
CANDIDATES = 16


def calls(
    model: Tagger | ChainTagger,
    batches: Iterable[Batch],
    table: pd.DataFrame,
    families: Sequence[str],
    grammar: Grammar | None,
    run: str,
    dtype: torch.dtype = torch.float32,
) -> pd.DataFrame:
    """The ``calls`` table: every decoded domain with its mean posterior as score.

    Args:
        batches: whole slices (rows are row numbers of ``table``).
        table: rows of the ``localisation`` table; a shuffled slice is a protein of its own.
        families: family of every class of the network.
        grammar: of the training annotations; a tagger of chains has none.
        dtype: of matrix products; chains keep to single precision.
    """
    names, offsets = places(table)
    found = [
        (names[row], offsets[row] + domain.start, offsets[row] + domain.end, families[label],
         domain.score, TAGGER, run)
        for row, domain, label in decoded(model, batches, grammar, dtype)
    ]  # fmt: skip
    columns = ["protein", "start", "end", "label", "score", "method", "run"]
    table = pd.DataFrame(found, columns=columns)
    return table.sort_values(["protein", "start"]).reset_index(drop=True)


def decoded(
    model: Tagger | ChainTagger,
    batches: Iterable[Batch],
    grammar: Grammar | None,
    dtype: torch.dtype,
) -> Iterator[tuple[int, Domain, int]]:
    """Row, domain (0-based) and class number of every domain that the tagger finds."""
    if isinstance(model, ChainTagger):
        yield from chain_tagging.decoded(model, batches)
        return
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        for batch in batches:
            tokens_BL = batch.inputs.to(device)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                x_BLD = model.encoder(tokens_BL)[:, 1:-1]
                tags = model.tags(x_BLD)
            kinds_BLK = tags.kinds.float().softmax(-1).cpu().numpy()
            families_BLF = tags.families.float().softmax(-1)
            lengths = (batch.tokens != PAD).sum(1).numpy() - 2
            chances, chosen = candidates(kinds_BLK, families_BLF, lengths)
            found = decode(posteriors(chances, lengths, grammar), lengths)
            for b, domains in enumerate(found):
                for domain in domains:
                    yield batch.rows[b], domain, int(chosen[b, domain.family])


def load_tagger(path: Path) -> tuple[Tagger | ChainTagger, dict[str, Any]]:
    """A trained tagger, and what its file says about it."""
    about = description(path)
    settings = TaggerSettings.model_validate(about["run"])
    model: Tagger | ChainTagger
    if about.get("windows"):
        model = ChainTagger(settings, about["windows"])
    else:
        network = about["network"] and NetworkSettings.model_validate(about["network"])
        model = Tagger(network, len(about["families"]), settings)
    model.load_state_dict(load_file(path))
    return model.eval(), about


def candidates(
    kinds_BL4: np.ndarray, families_BLF: torch.Tensor, lengths: np.ndarray
) -> tuple[States, np.ndarray]:
    """Probabilities of the states of each protein's likeliest families.

    Returns:
        The states, and the class number of each candidate, (B, K).
    """
    B, L, families = families_BLF.shape
    present_BL = np.arange(L) < lengths[:, None]
    inside_BL = torch.from_numpy((1 - kinds_BL4[..., OUTSIDE]) * present_BL)
    strongest_BF = (families_BLF.cpu() * inside_BL[..., None]).amax(1)
    chosen_BK = strongest_BF.topk(min(CANDIDATES, families), dim=1).indices
    share_BLK = families_BLF.cpu().gather(2, chosen_BK[:, None].expand(B, L, -1)).numpy()
    kinds = [kinds_BL4[..., kind, None] * share_BLK for kind in (FIRST, MIDDLE, LAST)]
    return States(kinds_BL4[..., OUTSIDE], *kinds), chosen_BK.numpy()
