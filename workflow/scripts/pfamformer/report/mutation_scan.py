"""The mutation scan of one domain: heat map, residue attributions, conservation."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, STYLE, Hover, plt, title
from pfamformer.report.items import Item, p_phrase, said
from pfamformer.sequences.alphabet import STANDARD

# Residues that look alike stand together: hydrophobic, aromatic, polar, charged.
ORDER = "AVILMCGPFYWHSTNQDEKR"
# Positions between two ticks.
EVERY = 10

#: p below which attribution and conservation count as related.
ALPHA = 0.05
#: Nats under which a change of the answer is none that anybody would notice.
NOTABLE = 0.01


def make_table(sequence: str, change: np.ndarray, bits: np.ndarray) -> pd.DataFrame:
    """One row per residue: ``position``, ``residue``, ``conservation``, ``change``, one per letter.

    Args:
        change: nats (residues, 20), residues in the order of ``STANDARD``.
        bits: conservation of each residue's column.
    """
    table = pd.DataFrame(change, columns=[f"to_{letter}" for letter in STANDARD])
    table.insert(0, "change", change.mean(1))
    table.insert(0, "conservation", bits)
    table.insert(0, "residue", list(sequence))
    table.insert(0, "position", np.arange(1, len(sequence) + 1))
    return table


def draw(table: pd.DataFrame) -> Figure:
    """a: change with every substitution; b: its mean at each residue beside conservation."""
    heat = table[[f"to_{letter}" for letter in ORDER]].to_numpy().T
    factor, unit = _unit(heat.max())
    places = np.arange(len(table))
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(9, 5), sharex=True, height_ratios=[3, 1.2]
        )
        # The square root: one residue that decides most does not hide the others.
        drawn = above.imshow(
            heat * factor, aspect="auto", cmap="cividis", interpolation="nearest",
            norm=PowerNorm(0.5, vmin=0, vmax=max(heat.max() * factor, np.finfo(float).tiny)),
        )  # fmt: skip
        own = [ORDER.find(letter) for letter in table["residue"]]
        above.plot(places, own, ".", color="white", ms=3)
        above.set_yticks(range(len(ORDER)), list(ORDER), fontsize=7)
        figure.colorbar(drawn, ax=above, label=f"KL, {unit}", pad=0.01)
        below.plot(places, table["change"] * factor, color=COLOURS[0], lw=1.2)
        below.set_ylabel(f"mean KL, {unit}", color=COLOURS[0])
        beside = below.twinx()
        beside.plot(places, table["conservation"], color=COLOURS[1], lw=1.2)
        beside.set_ylabel("column, bits", color=COLOURS[1])
        ticks = places[EVERY - 1 :: EVERY]
        below.set_xticks(ticks, ticks + 1)
        below.set_xlabel("residue of the domain")
        title(above, "a", "change of the answer with each substitution")
        title(below, "b", "attribution of each residue and conservation of its column")
        return figure


def _unit(largest: float) -> tuple[float, str]:
    """A factor that makes small divergences readable, and what they are then measured in."""
    if largest <= 0 or largest >= NOTABLE:
        return 1.0, "nats"
    exponent = int(np.floor(np.log10(largest)))
    return 10.0**-exponent, f"$10^{{{exponent}}}$ nats"


def hovers(figure: Figure, table: pd.DataFrame) -> list[Hover]:
    """What each cell of :func:`draw`'s heat map says under the pointer."""
    return [
        Hover(
            figure.axes[0], place - 0.5, row - 0.5, 1, 1,
            f"{residue}{position}: the domain's own residue"
            if letter == residue
            else f"{residue}{position}{letter}: {change:.2g} nats",
        )
        for place, (residue, position) in enumerate(
            zip(table["residue"], table["position"], strict=True)
        )
        for row, (letter, change) in enumerate(
            zip(ORDER, table.loc[place, [f"to_{letter}" for letter in ORDER]], strict=True)
        )
    ]  # fmt: skip


def strongest(table: pd.DataFrame) -> tuple[str, float]:
    """The substitution that changes most, as ``F19E``, and by how many nats."""
    change = table[[f"to_{letter}" for letter in STANDARD]].to_numpy()
    place, letter = np.unravel_index(change.argmax(), change.shape)
    row = table.iloc[place]
    return f"{row['residue']}{row['position']}{STANDARD[letter]}", float(change.max())


def describe(domain: str, family: str, run: str, rho: float, p: float, table: pd.DataFrame) -> Item:
    """The item of the report.

    Args:
        rho, p: agreement of attribution and conservation.
        table: as :func:`make_table` makes it.
    """
    name, largest = strongest(table)
    share = top_share(table["change"].to_numpy())
    conserved = rho > 0 and p < ALPHA
    relation = f"Spearman {rho:.2f}, {p_phrase(p)}"
    verdict = f"The largest change, {name}, is {largest:.2g} nats" + (
        "." if largest >= NOTABLE else ": no single substitution changes this answer."
    )
    return Item(
        name="mutation_scan",
        section="families",
        title=f"Which residues decide: mutation scan of {domain}",
        caption=f"Every residue of a test domain of {family} replaced by each of the twenty; "
        f"colour is the Kullback-Leibler divergence of {run}'s family probabilities from those "
        "for the unchanged domain, on a scale of its square root. White dots: its own residues. "
        "b: mean over substitutions, and the information of the seed alignment's column.",
        text=[
            f"{verdict} The tenth of the residues that matter most carry {100 * share:.0f} % of "
            "the change. Mean change (attribution) and conservation of a residue: "
            f"{relation}."
        ],
        figure="mutation_scan.svg",
        numbers="mutation_scan.tsv",
        rank=6,
        **said(
            conserved and largest >= NOTABLE,
            "Conserved residues decide the family more than others (mutation scan of one domain, "
            f"{domain}): {relation}.",
            f"No single substitution changes the family of the scanned domain, {domain}."
            if largest < NOTABLE
            else "Conserved residues do not decide the family more than others (mutation scan of "
            f"one domain, {domain}): {relation}.",
        ),
    )


def top_share(change: np.ndarray) -> float:
    """Share of the change (mean of each residue) that the tenth with most of it carry."""
    mean = np.sort(change)[::-1]
    return float(mean[: max(1, len(mean) // 10)].sum() / max(mean.sum(), np.finfo(float).tiny))
