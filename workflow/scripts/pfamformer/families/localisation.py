"""The localisation data set (study, figure 3): where on a protein each family lies.

Overlaps are resolved so that a residue has one label. Longer domains come first (of equal length:
the one that starts first, then the first family by name):

1. A domain wholly inside a longer one with which it shares neither family nor clan is nested: both
   stay, and the residues of the inner one are its own.
2. In any other overlap the longer domain keeps the shared residues and the shorter one loses them;
   if less than half of it is left, it is left out.

Long proteins are cut into slices between domains, never inside one (as PSALM-2 is trained).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pfamformer.families.splits import components

OUTSIDE = -1


@dataclass(frozen=True, order=True)
class Place:
    """A domain on its protein, 1-based, inclusive."""

    start: int
    end: int
    family: str
    clan: str = ""

    def __len__(self) -> int:
        return max(0, self.end - self.start + 1)

    def shared(self, other: Place) -> int:
        """Residues that both have."""
        return max(0, min(self.end, other.end) - max(self.start, other.start) + 1)

    def is_nested_in(self, outer: Place) -> bool:
        """Whether it lies wholly inside a longer domain of another family and clan."""
        inside = outer.start <= self.start and self.end <= outer.end and len(self) < len(outer)
        related = self.family == outer.family or (self.clan and self.clan == outer.clan)
        return bool(inside and not related)

    def clashes_with(self, other: Place) -> bool:
        """Whether they share residues and neither is nested in the other."""
        return bool(
            self.shared(other) and not self.is_nested_in(other) and not other.is_nested_in(self)
        )


def resolve_overlaps(places: Iterable[Place]) -> tuple[list[Place], Counter[str]]:
    """The places that stay, by start, and how many were ``left_out``, ``nested`` and ``cut``."""
    kept: list[Place] = []
    counts: Counter[str] = Counter(left_out=0, nested=0, cut=0)
    for place in sorted(places, key=lambda p: (-len(p), p)):
        rest = _rest(place, kept)
        if rest is None:
            counts["left_out"] += 1
            continue
        counts["cut"] += rest != place
        counts["nested"] += any(rest.is_nested_in(other) for other in kept)
        kept.append(rest)
    return sorted(kept), counts


def _rest(place: Place, kept: Sequence[Place]) -> Place | None:
    """What of a place is not other domains'; ``None`` if that is less than half."""
    rest = place
    while clash := next((k for k in kept if rest.clashes_with(k)), None):
        before = replace(rest, end=min(rest.end, clash.start - 1))
        behind = replace(rest, start=max(rest.start, clash.end + 1))
        rest = max(before, behind, key=len)
        if 2 * len(rest) < len(place):
            return None
    return rest


def residue_labels(
    start: int, end: int, places: Sequence[Place], numbers: dict[str, int]
) -> np.ndarray:
    """The family of each residue from ``start`` to ``end``; shape (end - start + 1,), int32.

    Args:
        numbers: family to label; residues outside of all domains are :data:`OUTSIDE`.
    """
    labels = np.full(end - start + 1, OUTSIDE, dtype=np.int32)
    # Inner domains are shorter than their outer one: painted last, they stay.
    for place in sorted(places, key=len, reverse=True):
        labels[max(0, place.start - start) : max(0, place.end - start + 1)] = numbers[place.family]
    return labels


def slices(length: int, places: Sequence[Place], most: int) -> list[tuple[int, int]]:
    """Cut a protein into stretches of at most ``most`` residues that divide no domain.

    Every residue is in one slice. Only a domain that is itself longer than ``most``, or a chain of
    nested ones, makes a longer slice.
    """
    cuts, begin = [], 1
    while length - begin + 1 > most:
        # The last residue of this slice: as far as allowed, moved to a place between domains.
        last = _before_domain(begin + most - 1, places)
        if last < begin:
            last = _behind_domain(begin + most - 1, places)
        cuts.append((begin, last))
        begin = last + 1
    if begin <= length:
        cuts.append((begin, length))
    return cuts


def _before_domain(last: int, places: Sequence[Place]) -> int:
    while divided := [p.start - 1 for p in places if p.start <= last < p.end]:
        last = min(divided)
    return last


def _behind_domain(last: int, places: Sequence[Place]) -> int:
    while divided := [p.end for p in places if p.start <= last < p.end]:
        last = max(divided)
    return last


def shuffled(sequence: str, stream: np.random.Generator) -> str:
    """The same residues in a random order: a protein without any domain."""
    return "".join(stream.permutation(list(sequence)))


def protein_components(domains: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
    """Component of each protein: proteins are joined by domains of one component of the split.

    Args:
        domains: columns ``id`` and ``protein``.
        split: columns ``id`` and ``component``, of the clustered split.

    Returns:
        Index protein (sorted), value component.
    """
    component = domains["id"].map(split.set_index("id")["component"])
    proteins = pd.Series(sorted(domains["protein"].unique()))
    # A chain through each domain component joins as well as all its pairs.
    ordered = pd.DataFrame({"component": component, "protein": domains["protein"]})
    ordered = ordered.sort_values(["component", "protein"])
    same = (ordered["component"].diff() == 0).to_numpy()[1:]
    names = ordered["protein"].to_numpy()
    edges = pd.DataFrame({"query": names[:-1][same], "target": names[1:][same]})
    return pd.Series(components(proteins, edges), index=proteins.to_numpy())


def split_proteins(
    component: pd.Series, domains: pd.DataFrame, *, dev: float, test: float, seed: int
) -> pd.Series:
    """Assign whole components of proteins to train, dev and test.

    Of each family the component with most of its proteins trains, so that a family is learnt from
    its bulk and tested on what is unlike it, as domains are in the clustered split. The others, in
    a seeded order, go to whichever of test and dev has filled less of its share and has room; else
    to train.

    Args:
        component: of each protein, as :func:`protein_components` gives it.
        domains: columns ``protein`` and ``family``.
        dev, test: largest shares of the proteins, 0…1.

    Returns:
        Index as ``component``, value the part.
    """
    members = component.groupby(component).groups
    pairs = domains[["protein", "family"]].drop_duplicates()
    of_family = pd.DataFrame(
        {"component": pairs["protein"].map(component), "family": pairs["family"]}
    )
    sizes = of_family.groupby(["family", "component"]).size()
    # Of equal sizes the first component: they are sorted by number within a family.
    learnt = {number for _, number in sizes.groupby(level="family").idxmax()}
    part = pd.Series("train", index=component.index)
    room = {"test": test * len(part), "dev": dev * len(part)}
    filled = dict.fromkeys(room, 0)
    order = sorted(set(members) - learnt, key=lambda c: (-len(members[c]), c))
    for number in np.random.default_rng(seed).permutation(order):
        size = len(members[number])
        fitting = [p for p in room if filled[p] + size <= room[p]]
        if fitting:
            chosen = min(fitting, key=lambda p: filled[p] / room[p])
            filled[chosen] += size
            part[members[number]] = chosen
    return part
