"""Figure 7: similarity of the residues in the input embedding, beside BLOSUM62."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.embedding import Mantel
from pfamformer.analysis.residues import BLOSUM_ORDER
from pfamformer.report.figures import INK, STYLE, plt, title
from pfamformer.report.items import Column, Item, p_phrase, said

#: A dark shade is always "alike": distances are small there, the others large.
_MAPS = {"Euclidean distance": "viridis"}
_UNITS = {"BLOSUM62": "half-bits"}


def draw(matrices: Mapping[str, np.ndarray]) -> Figure:
    """Four matrices (20, 20) in BLOSUM62's order; the diagonal of ours is left out of the scale."""
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots(2, 2, figsize=(9, 8.2))
        for axis, letter, (name, matrix) in zip(axes.flat, "abcd", matrices.items(), strict=True):
            shown = matrix.astype(float).copy()
            off = ~np.eye(len(matrix), dtype=bool)
            if name != "BLOSUM62":
                shown[~off] = np.nan
            low, high = np.nanquantile(shown[off], [0.01, 0.99])
            image = axis.imshow(
                shown, cmap=_MAPS.get(name, "viridis_r"), vmin=low, vmax=high, interpolation="none"
            )
            axis.set_xticks(range(20), BLOSUM_ORDER, fontsize=9)
            axis.set_yticks(range(20), BLOSUM_ORDER, fontsize=9)
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
            axis.set_xlabel("residue")
            axis.set_ylabel("residue")
            bar = figure.colorbar(image, ax=axis, shrink=0.85, extend="both")
            bar.outline.set_visible(False)
            bar.set_label(_UNITS.get(name, "dimensionless"), color=INK)
            title(axis, letter, name)
        return figure


def numbers(found: Mapping[tuple[str, str], Mantel]) -> pd.DataFrame:
    """One row per network (untrained, trained) and measure."""
    return pd.DataFrame(
        [
            {"network": network, "measure": measure, "spearman": m.correlation, "mantel_p": m.p}
            for (network, measure), m in found.items()
        ]
    )


def describe(table: pd.DataFrame, alpha: float, draws: int) -> Item:
    """The report item.

    Args:
        table: of :func:`numbers`.
        alpha: p below which a correlation counts as found.
    """
    rows = table.set_index(["network", "measure"])
    cosine = rows.loc[("trained", "cosine similarity")]
    found = cosine["spearman"] > 0 and cosine["mantel_p"] < alpha
    parts = [
        f"{measure} {row['spearman']:+.2f} ({p_phrase(row['mantel_p'])})"
        for (network, measure), row in rows.iterrows()
        if network == "trained"
    ]
    before = rows.loc[("untrained", "cosine similarity")]
    text = (
        f"Spearman correlation with BLOSUM62 over the 190 pairs of residues: {'; '.join(parts)}; "
        "a distance should correlate negatively. Before training the cosine similarity had "
        f"{before['spearman']:+.2f} ({p_phrase(before['mantel_p'])}). P-values are Mantel's, "
        f"{draws:,} permutations of the residues, two-sided."
    )
    verdict = (
        "The study saw the blocks of BLOSUM62 in these matrices. That holds here: substitutable "
        "residues have similar embeddings."
        if found
        else "The study saw the blocks of BLOSUM62 in these matrices. This network does not show "
        "it: its embedding does not order pairs of residues as BLOSUM62 does, beyond chance."
    )
    return Item(
        name="figure_7",
        section="analyses",
        title="Figure 7: similarity of the residues",
        caption="Input embeddings of the 20 residues compared in three ways, in the order of "
        "BLOSUM62 and beside it. Dark means alike. The diagonals of a, b and c are left out.",
        text=[text, verdict],
        published="The study shows the four matrices and reads them by eye; it gives no number.",
        columns=[
            Column("network", "network", "text"),
            Column("measure", "measure", "text"),
            Column("spearman", "Spearman with BLOSUM62", "number", 2),
            Column("mantel_p", "Mantel p", "p"),
        ],
        rank=7,
        **said(
            bool(found),
            f"Similar residues have similar embeddings (figure 7): Spearman with BLOSUM62 "
            f"{cosine['spearman']:+.2f}, as the study saw.",
            "Embeddings of residues do not follow BLOSUM62 (figure 7): Spearman "
            f"{cosine['spearman']:+.2f}, {p_phrase(cosine['mantel_p'])}.",
        ),
    )
