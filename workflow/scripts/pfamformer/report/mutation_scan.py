"""The mutation scan of one domain: heat map, residue attributions, conservation."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.report.figures import COLOURS, STYLE, plt, title
from pfamformer.report.items import Item, p_phrase, said
from pfamformer.sequences.alphabet import STANDARD

# Residues that look alike stand together: hydrophobic, aromatic, polar, charged.
ORDER = "AVILMCGPFYWHSTNQDEKR"
# Positions between two ticks.
EVERY = 10

#: p below which attribution and conservation count as related.
ALPHA = 0.05


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
    places = np.arange(len(table))
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(9, 5), sharex=True, height_ratios=[3, 1.2]
        )
        drawn = above.imshow(heat, aspect="auto", cmap="cividis", interpolation="nearest")
        own = [ORDER.find(letter) for letter in table["residue"]]
        above.plot(places, own, ".", color="white", ms=3)
        above.set_yticks(range(len(ORDER)), list(ORDER), fontsize=7)
        figure.colorbar(drawn, ax=above, label="KL, nats", pad=0.01)
        below.plot(places, table["change"], color=COLOURS[0], lw=1.2)
        below.set_ylabel("mean KL, nats", color=COLOURS[0])
        beside = below.twinx()
        beside.plot(places, table["conservation"], color=COLOURS[1], lw=1.2)
        beside.set_ylabel("column, bits", color=COLOURS[1])
        ticks = places[EVERY - 1 :: EVERY]
        below.set_xticks(ticks, ticks + 1)
        below.set_xlabel("residue of the domain")
        title(above, "a", "change of the answer with each substitution")
        title(below, "b", "attribution of each residue and conservation of its column")
        return figure


def describe(domain: str, family: str, run: str, rho: float, p: float, share: float) -> Item:
    """The item of the report.

    Args:
        rho, p: agreement of attribution and conservation.
        share: of all change, in the tenth of the residues that matter most, 0…1.
    """
    return Item(
        name="mutation_scan",
        section="families",
        title=f"Which residues decide: mutation scan of {domain}",
        caption=f"Every residue of a test domain of {family} replaced by each of the twenty; "
        f"colour is the Kullback-Leibler divergence of {run}'s family probabilities from those "
        "for the unchanged domain. White dots: its own residues. b: mean over substitutions, and "
        "the information of the seed alignment's column.",
        text=[
            f"The tenth of the residues that matter most carry {100 * share:.0f} % of the change. "
            f"Attribution and conservation: Spearman's ρ = {rho:.2f} ({p_phrase(p)})."
        ],
        figure="mutation_scan.svg",
        numbers="mutation_scan.tsv",
        rank=6,
        **said(
            rho > 0 and p < ALPHA,
            f"The residues that decide a family are the conserved ones (mutation scan of "
            f"{domain}): Spearman {rho:.2f}.",
            f"The residues that decide a family are not the conserved ones (mutation scan of "
            f"{domain}): Spearman {rho:.2f}, {p_phrase(p)}.",
        ),
    )


def top_share(change: np.ndarray) -> float:
    """Share of the mean change that the tenth of the residues with most of it carry."""
    mean = np.sort(change.mean(1))[::-1]
    return float(mean[: max(1, len(mean) // 10)].sum() / max(mean.sum(), np.finfo(float).tiny))
