"""Domains of proteins by chains of motifs: candidate segments, what speaks for each, decoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pfamformer.methods.decoding import Domain, decode
from pfamformer.methods.segments import Found, segment_posteriors, separate, states_of
from pfamformer.model.chain_tagger import ChainTagger, reversed_residues
from pfamformer.model.classifier import residue_mask
from pfamformer.training.batches import Batch

#: Families of a protein whose chains are looked at: those furthest beyond chance.
CANDIDATES = 12
# Segments are looked at from here on, nats beyond what chance finds in half of the proteins.
LEAST = 0.0
# Added to log-odds where segments are decoded, nats: training domains are found more easily than
# new ones, so weaker segments are called too. From which score on they count is fitted afterwards.
LENIENT = 2.0
# Log-odds of a segment at most, nats: more than training on some thousand segments can tell.
SUREST = 8.0


@dataclass(frozen=True)
class Segments:
    """Candidate domains on one protein, all arrays along them.

    Attributes:
        starts, ends: 0-based, inclusive.
        classes: class numbers.
        evidence: what speaks for each, (n, EVIDENCE).
        missing: profile positions before and behind its chain, (n, 2).
    """

    starts: np.ndarray
    ends: np.ndarray
    classes: np.ndarray
    evidence: np.ndarray
    missing: np.ndarray


@dataclass(frozen=True)
class Chains:
    """Chains of the candidate families of one protein, not yet lengthened or judged.

    Attributes:
        found: candidate number and chain.
        classes: class number of each candidate (K,).
        reverse: nats beyond chance of each candidate on the reversed protein (K,).
        counts: residues of each standard kind up to each position, (length + 1, 20).
    """

    found: list[tuple[int, Found]]
    classes: np.ndarray
    reverse: np.ndarray
    counts: np.ndarray

    @property
    def length(self) -> int:
        """Residues of the protein."""
        return len(self.counts) - 1


def chains_of(model: ChainTagger, tokens_BL: Tensor, best_BC: Tensor) -> list[Chains]:
    """Chains of the candidate families of each protein of a batch.

    Args:
        best_BC: of :meth:`ChainTagger.best` or :meth:`ChainTagger.best_listed`.
    """
    length_B = residue_mask(tokens_BL).sum(1)
    count = best_BC.shape[1]
    everything = torch.arange(count, device=tokens_BL.device)
    beyond_BC = model.beyond_chance(best_BC, everything, length_B[:, None])
    classes_BK = beyond_BC.topk(min(CANDIDATES, count), 1).indices
    ends = [values.cpu().numpy() for values in model.ends(tokens_BL, classes_BK)]
    backwards_BK = model.few(reversed_residues(tokens_BL), classes_BK)
    reverse_BK = model.beyond_chance(backwards_BK, classes_BK, length_B[:, None]).cpu().numpy()
    least_BK = (
        model.location[classes_BK] + length_B[:, None].log2() + LEAST / model.rate[classes_BK]
    )
    classes, least, K = classes_BK.cpu().numpy(), least_BK.cpu().numpy(), classes_BK.shape[1]
    return [
        Chains(
            [
                (k, chain)
                for k in range(K)
                for chain in separate(*(v[b * K + k, : length + 2] for v in ends), least[b, k])
            ],
            classes[b], reverse_BK[b], counts_of(model, tokens_BL[b, 1 : length + 1]),
        )
        for b, length in enumerate(length_B.tolist())
    ]  # fmt: skip


def counts_of(model: ChainTagger, tokens_L: Tensor) -> np.ndarray:
    """How often each standard residue occurs before each position, (L + 1, 20)."""
    hot_LA = model.encoder.one_hot[tokens_L].cpu().numpy()
    return np.concatenate([np.zeros((1, hot_LA.shape[1])), hot_LA.cumsum(0)])


@dataclass(frozen=True)
class View:
    """What describing segments needs of a tagger, as NumPy arrays along its classes."""

    kernel: int
    windows: np.ndarray
    location: np.ndarray
    rate: np.ndarray
    length_mean: np.ndarray
    length_spread: np.ndarray
    lengthen: np.ndarray
    # Bits of each residue at each position of each window; the window of each place of each class.
    filters: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, model: ChainTagger) -> View:
        """The tagger as it is now."""
        parts = (model.location, model.rate, model.length_mean, model.length_spread, model.lengthen,
                 model.encoder.filters.weight, model.encoder.table)  # fmt: skip
        arrays = (part.detach().cpu().numpy() for part in parts)
        return cls(model.encoder.kernel, np.array(model.encoder.windows), *arrays)


def describe(view: View, chains: Chains) -> Segments:
    """Segments of one protein, lengthened, with what speaks for them."""
    number = np.array([k for k, _ in chains.found], dtype=int)
    of, length, kernel = chains.classes[number], chains.length, view.kernel
    begin, close, bits, first, last = (
        np.array([chain[i] for _, chain in chains.found], dtype=float) for i in range(5)
    )
    windows = view.windows[of]
    missing = kernel * np.stack([first, windows - 1 - last], 1)
    # A window lies around its position; residues are counted from behind <cls>.
    left = (kernel - 1) // 2
    starts = begin - left - 1 - view.lengthen[0] * missing[:, 0]
    ends = close + kernel - left - 2 + view.lengthen[1] * missing[:, 1]
    starts = np.clip(np.round(starts), 0, length - 1).astype(int)
    ends = np.clip(np.round(ends), starts, length - 1).astype(int)
    beyond = (bits - view.location[of] - np.log2(length)) * view.rate[of]
    same, rival, rival_bits = _company(starts, ends, of, beyond, bits)
    by_composition = np.array(
        [
            _by_composition(view, chains.counts, *segment)
            for segment in zip(starts, ends, of, first.astype(int), last.astype(int), strict=True)
        ]
    )
    unusual = (np.log(ends - starts + 1) - view.length_mean[of]) / view.length_spread[of]
    # Divided so that usual values lie near 1, limited so that none overrules all others.
    evidence = np.stack(
        [
            beyond / 5,
            bits / 20,
            (last - first + 1) / windows,
            bits / (last - first + 1) / 5,
            np.clip(unusual, -4, 4) / 2,
            np.clip(same, 0, 20) / 5,
            np.clip(rival - beyond, -20, 20) / 5,
            np.clip(rival_bits - bits, -40, 40) / 10,
            np.clip(bits - by_composition, 0, 200) / 20,
            np.log(windows) / 3,
            np.clip(chains.reverse[number], -5, 20) / 5,
        ],
        axis=1,
    )
    return Segments(starts, ends, of, np.clip(evidence, -10, 10), missing)


def _by_composition(
    view: View, counts: np.ndarray, start: int, end: int, label: int, first: int, last: int
) -> float:
    """Bits that the windows of a segment give its residues in any order."""
    found = counts[end + 1] - counts[start]
    bits_A = view.filters[view.table[label, first : last + 1]].sum((0, 2))
    return float(bits_A @ found) / max(1.0, float(found.sum()))


def _company(
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    beyond: np.ndarray,
    bits: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each segment: the best other one of its family; the best rival, in nats and in bits."""
    if not len(starts):
        return np.empty(0), np.empty(0), np.empty(0)
    shared = np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts) + 1
    length = ends - starts + 1
    alike = classes[:, None] == classes
    np.fill_diagonal(alike, False)
    same = np.where(alike, beyond, 0.0).max(1)
    collides = (2 * shared > np.minimum(length[:, None], length)) & (classes[:, None] != classes)
    return same, np.where(collides, beyond, 0.0).max(1), np.where(collides, bits, 0.0).max(1)


def log_odds(model: ChainTagger, evidence: np.ndarray) -> np.ndarray:
    """What the network says of each segment, nats."""
    device = model.location.device
    found = model.judge(torch.from_numpy(evidence).float().to(device))
    return found.clamp(-SUREST, SUREST).double().cpu().numpy()


def decoded(model: ChainTagger, batches: Iterable[Batch]) -> Iterator[tuple[int, Domain, int]]:
    """Row, domain (0-based) and class number of every domain found."""
    device = model.location.device
    model.eval()
    view = View.of(model)
    with torch.inference_mode():
        for batch in batches:
            tokens_BL = batch.inputs.to(device)
            chains = chains_of(model, tokens_BL, model.best_listed(tokens_BL))
            found = [describe(view, its) for its in chains]
            lengths = residue_mask(tokens_BL).sum(1).cpu().numpy()
            chosen = [np.unique(segments.classes) for segments in found]
            judged = [
                (s.starts, s.ends, np.searchsorted(c, s.classes),
                 segment_posteriors(s.starts, s.ends, LENIENT + log_odds(model, s.evidence)))
                for s, c in zip(found, chosen, strict=True)
            ]  # fmt: skip
            widest = max(1, *(len(c) for c in chosen)) if chosen else 1
            states = states_of(judged, lengths, widest)
            for row, domains, classes in zip(
                batch.rows, decode(states, lengths), chosen, strict=True
            ):
                for domain in domains:
                    yield row, domain, int(classes[domain.family])
