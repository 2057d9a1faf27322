"""Fitting a tagger of chained motifs: profiles, chance, lengthening, and the judge of segments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from pyhmmer.plan7 import HMM
from torch import Tensor

from pfamformer.command import log
from pfamformer.config import TaggerSettings
from pfamformer.evaluation.localisation import iou
from pfamformer.methods.chain_tagging import Chains, Segments, View, chains_of, describe
from pfamformer.methods.family_halves import AlignedFamily, all_profiles
from pfamformer.methods.priors import log_odds
from pfamformer.model.chain import windows_of
from pfamformer.model.chain_tagger import BY_CHANCE, EVIDENCE, ChainTagger
from pfamformer.model.heads.chain import LEAST_SPREAD
from pfamformer.sequences.alphabet import INDEX, STANDARD, encode
from pfamformer.tables import SCHEMAS
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.device import hash_of

# Overlap (intersection over union) at which a segment is right, as domains are judged.
RIGHT = 0.5
# Overlap at which a segment says how far its ends are from the domain's.
NEAR_BY = 0.2
# Of the logistic curve of scores by chance: quantiles that its two numbers are read from.
MIDDLE, HIGH = 0.5, 0.9
# Limits of the rate, nats per bit: with few proteins the quantiles are uncertain.
RATES = (0.25 * BY_CHANCE, 1.5 * BY_CHANCE)
# Of each judge: steps of L-BFGS and weight decay. Ten times more or less decay was no better on
# the demo's development part.
STEPS, DECAY = 100, 3e-5

Truth = Mapping[int, Sequence[tuple[int, int, int]]]


def fit_chain_tagger(
    settings: TaggerSettings,
    families: Iterable[AlignedFamily],
    table: pd.DataFrame,
    domains: pd.DataFrame,
    device: torch.device,
) -> tuple[ChainTagger, list[str], pd.DataFrame]:
    """A tagger of the training part, its families, and the ``metrics`` table.

    Args:
        families: their training rows.
        table: training rows of the ``localisation`` table.
        domains: the ``localisation_domains`` table.
    """
    families = sorted(families, key=lambda family: family.family)
    names = [family.family for family in families]
    whole, without, half_of = all_profiles(families, settings.seed)
    background = _background(table["sequence"])
    lengths = domains[domains["id"].isin(table["id"])]
    lengths = (lengths["end"] - lengths["start"] + 1).groupby(lengths["family"]).apply(np.array)
    drawn = _draw(table, domains, settings)
    truth = _truth(drawn, domains, {name: i for i, name in enumerate(names)})
    log.info("%d families, %d slices to learn from", len(names), len(drawn))
    torch.manual_seed(hash_of(settings.seed, -4))
    model, *halved = (
        _from_profiles(settings, hmms, names, background, lengths).to(device)
        for hmms in (whole, *without)
    )
    with torch.inference_mode():
        read = [Reading(tagger, drawn, truth, settings) for tagger in (model, *halved)]
    rows = []
    proteins = drawn["protein"].tolist()
    for number, reading in enumerate(read[1:]):
        # A segment teaches where the profile behind it knew nothing of this protein.
        new = {
            (row, label)
            for row, found in truth.items()
            for _, _, label in found
            if half_of.get((names[label], proteins[row])) == number
        }
        rows.append((reading, new))
    lengthen = fit_lengthening(rows)
    model.lengthen.data = torch.tensor(lengthen, device=device)
    for reading, _ in rows:
        reading.view = replace(reading.view, lengthen=np.array(lengthen))
    read_residues = len(read) * int(drawn["sequence"].str.len().sum())
    return model, names, fit_judge(model, rows, read_residues)


def _draw(table: pd.DataFrame, domains: pd.DataFrame, settings: TaggerSettings) -> pd.DataFrame:
    """Slices to learn from: in turn one more of each family, so that small ones teach too."""
    shuffled = table.sample(frac=1, random_state=settings.seed)
    place = pd.Series(np.arange(len(shuffled)), index=shuffled["id"])
    inside = domains[domains["id"].isin(shuffled["id"])].drop_duplicates(["id", "family"])
    inside = inside.assign(place=inside["id"].map(place)).sort_values("place")
    turn = inside.groupby("family").cumcount().groupby(inside["id"]).min()
    order = shuffled["id"].map(turn).fillna(np.inf).to_numpy(copy=True)
    # Without a domain, shuffled ones too: as many as their share of all.
    empty = np.isinf(order)
    order[empty] = np.linspace(0, turn.max(), int(empty.sum()))
    chosen = np.argsort(order, kind="stable")[: settings.slices]
    return shuffled.iloc[np.sort(chosen)].reset_index(drop=True)


class Reading:
    """What a tagger finds on slices whose domains are known; it also learns what chance finds.

    Attributes:
        chains: of every slice, by its row.
    """

    def __init__(
        self, tagger: ChainTagger, table: pd.DataFrame, truth: Truth, settings: TaggerSettings
    ) -> None:
        self.tagger, self.truth = tagger, truth
        rows = InMemory([encode(s) for s in table["sequence"]])
        longest = int(rows.lengths.max())
        batches = list(read_in_order(rows, settings.tokens_per_batch, longest))
        device = tagger.location.device
        best = [tagger.best(batch.inputs.to(device)) for batch in batches]
        order = np.concatenate([batch.rows for batch in batches])
        fit_chance(tagger, torch.cat(best).cpu().numpy()[order.argsort()], rows.lengths, truth)
        self.chains: dict[int, Chains] = {}
        for batch, found in zip(batches, best, strict=True):
            chains = chains_of(tagger, batch.inputs.to(device), found)
            self.chains |= dict(zip(batch.rows.tolist(), chains, strict=True))
        self.view = View.of(tagger)

    def segments(self, row: int) -> Segments:
        """Segments of a slice; :attr:`view` says how much they are lengthened."""
        return describe(self.view, self.chains[row])


def _background(sequences: Iterable[str]) -> np.ndarray:
    """Frequency of each standard residue, shape (20,)."""
    counts = np.bincount(
        np.concatenate([encode(sequence) for sequence in sequences]), minlength=len(INDEX)
    )[[INDEX[letter] for letter in STANDARD]]
    return counts / counts.sum()


def _truth(table: pd.DataFrame, domains: pd.DataFrame, numbers: Mapping[str, int]) -> Truth:
    """Domains (0-based start and end, class) of every row that has any."""
    place = {name: (row, start) for row, (name, start) in enumerate(
        zip(table["id"], table["start"], strict=True))}  # fmt: skip
    found = defaultdict(list)
    for domain in domains[domains["id"].isin(place)].itertuples():
        if domain.family in numbers:
            row, first = place[domain.id]
            found[row].append((domain.start - first, domain.end - first, numbers[domain.family]))
    return dict(found)


def _from_profiles(
    settings: TaggerSettings,
    hmms: Sequence[HMM],
    names: Sequence[str],
    background: np.ndarray,
    lengths: Mapping[str, np.ndarray],
) -> ChainTagger:
    positions = {hmm.name: hmm.M for hmm in hmms}
    windows = windows_of(positions, names, settings.encoder.kernel)
    tagger = ChainTagger(settings, windows).eval()
    tagger.encoder.start_from({hmm.name: log_odds(hmm, background) for hmm in hmms}, names)
    with torch.no_grad():
        for label, name in enumerate(names):
            logarithm = np.log(lengths[name])
            tagger.length_mean[label] = float(logarithm.mean())
            tagger.length_spread[label] = float(np.hypot(logarithm.std(), LEAST_SPREAD))
    return tagger


@torch.no_grad()
def fit_chance(tagger: ChainTagger, best_RC: np.ndarray, lengths: np.ndarray, truth: Truth) -> None:
    """Where best scores on proteins without the family lie, and how fast higher ones get rarer.

    They follow an extreme-value distribution (Karlin and Altschul 1990). Its two numbers are read
    from the median and the 90 % quantile, so that few relatives among the proteins do not count.
    """
    excess = best_RC - np.log2(lengths)[:, None]
    for row, found in truth.items():
        excess[row, [label for _, _, label in found]] = np.nan
    middle, high = np.nanquantile(excess, [MIDDLE, HIGH], axis=0)
    apart = np.log(np.log(1 / MIDDLE)) - np.log(np.log(1 / HIGH))
    rate = np.clip(apart / np.maximum(high - middle, 1e-3), *RATES)
    device = tagger.location.device
    tagger.location.copy_(torch.from_numpy(middle).float().to(device))
    tagger.rate.copy_(torch.from_numpy(rate).float().to(device))


def fit_lengthening(
    read: Sequence[tuple[Reading, set[tuple[int, int]]]],
) -> tuple[float, float]:
    """Share of the missing windows, before and behind, that brings ends nearest to the domains'."""
    apart: tuple[list, list] = ([], [])
    for reading, new in read:
        for row, label in sorted(new):
            found = reading.segments(row)
            for i in np.flatnonzero(found.classes == label):
                overlap, (start, end) = _nearest(found, i, reading.truth[row])
                if overlap >= NEAR_BY:
                    apart[0].append((found.starts[i] - start, found.missing[i, 0]))
                    apart[1].append((end - found.ends[i], found.missing[i, 1]))
    shares = np.linspace(0, 1, 21)
    best = []
    for pairs in apart:
        if not pairs:
            best.append(0.0)
            continue
        distance, missing = np.array(pairs, dtype=float).T
        errors = [np.abs(distance - share * missing).mean() for share in shares]
        best.append(float(shares[int(np.argmin(errors))]))
    log.info("segments are lengthened by %.2f and %.2f of what is missing", *best)
    return best[0], best[1]


def _nearest(
    found: Segments, i: int, truth: Sequence[tuple[int, int, int]]
) -> tuple[float, tuple[int, int]]:
    """The domain of a segment's class that it overlaps most, and by how much."""
    start, end, label = int(found.starts[i]), int(found.ends[i]), found.classes[i]
    return max(
        ((iou(start, end, a, b), (a, b)) for a, b, family in truth if family == label),
        default=(0.0, (0, 0)),
    )


def fit_judge(
    model: ChainTagger, read: Sequence[tuple[Reading, set[tuple[int, int]]]], residues: int
) -> pd.DataFrame:
    """Train the judges, one after the other, on segments of profiles that did not know the protein.

    Returns:
        The ``metrics`` table, one row for each evaluation of the loss; right are segments on whose
        side of one half a judge is.
    """
    evidence, right = [], []
    for reading, new in read:
        for row in sorted(reading.chains):
            found, truth = reading.segments(row), reading.truth.get(row, ())
            labels = {label for _, _, label in truth}
            for i, label in enumerate(found.classes.tolist()):
                if label in labels and (row, label) not in new:
                    continue
                evidence.append(found.evidence[i])
                right.append(_nearest(found, i, truth)[0] >= RIGHT)
    device = model.location.device
    if not any(right):
        log.warning("no segment to learn from is right: the tagger will call next to nothing")
    x_NE = torch.tensor(np.array(evidence).reshape(-1, EVIDENCE), dtype=torch.float32).to(device)
    y_N = torch.tensor(right, dtype=torch.float32, device=device)
    log.info("%d segments, %d of them right", len(y_N), int(y_N.sum()))
    judges = model.judges if len(y_N) else ()
    losses = [loss for judge in judges for loss in _logistic(judge, x_NE, y_N)] or [(0.0, 0.0)]
    columns = SCHEMAS["metrics"].names
    rows = [
        {"step": i, "part": "train", "tokens": residues, "loss": loss, "accuracy": accuracy}
        for i, (loss, accuracy) in enumerate(losses, 1)
    ]
    return pd.DataFrame(rows, columns=columns)


def _logistic(judge: torch.nn.Module, x_NE: Tensor, y_N: Tensor) -> list[tuple[float, float]]:
    """Least cross-entropy with weight decay, by L-BFGS: deterministic, no rate to choose.

    Returns:
        Loss (nats per segment) and share of right answers at every evaluation.
    """
    seen = []
    optimizer = torch.optim.LBFGS(judge.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits_N = judge(x_NE)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits_N, y_N)
        seen.append((loss.item(), ((logits_N > 0) == (y_N > 0.5)).float().mean().item()))
        loss = loss + DECAY * sum((p**2).sum() for p in judge.parameters())
        loss.backward()
        return loss

    optimizer.step(closure)
    return seen
