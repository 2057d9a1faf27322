"""Figure 8: the residues' embeddings in two dimensions, coloured by property."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.residues import BLOSUM_ORDER, GROUPS, group_of
from pfamformer.report.figures import COLOURS, STYLE, plt, title
from pfamformer.report.items import Column, Item, p_phrase, said


def draw(projections: Mapping[str, np.ndarray]) -> Figure:
    """One panel per projection (20, 2): letters on discs coloured by group."""
    colours = dict(zip(GROUPS, COLOURS, strict=True))
    groups = group_of()
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(projections), figsize=(9, 4.4))
        for axis, letter, (name, points) in zip(axes, "ab", projections.items(), strict=True):
            for group, colour in colours.items():
                inside = [g == group for g in groups]
                axis.scatter(*points[inside].T, s=210, color=colour, label=group, lw=0)
            for (x, y), residue in zip(points, BLOSUM_ORDER, strict=True):
                axis.annotate(
                    residue, (x, y), ha="center", va="center", fontsize=9, fontweight="bold",
                    color="white",
                )  # fmt: skip
            axis.margins(0.1)
            axis.set_xlabel(f"{name} 1 (arbitrary unit)")
            axis.set_ylabel(f"{name} 2 (arbitrary unit)")
            title(axis, letter, name)
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9,
            markerscale=0.6, handletextpad=0.2, columnspacing=1.2,
        )  # fmt: skip
        return figure


def describe(table: pd.DataFrame, alpha: float) -> Item:
    """The report item.

    Args:
        table: ``network``, ``grouping``, ``silhouette``, ``p``; grouping ``all groups`` is the
            colouring of the figure.
        alpha: p below which groups count as separated.
    """
    rows = table.set_index(["network", "grouping"])
    trained, before = rows.loc[("trained", "all groups")], rows.loc[("untrained", "all groups")]
    single = table[(table["network"] == "trained") & (table["grouping"] != "all groups")]
    found = single[(single["silhouette"] > 0) & (single["p"] < alpha)]["grouping"].tolist()
    separated = trained["silhouette"] > 0 and trained["p"] < alpha
    tighter = trained["p"] < alpha
    text = (
        f"Silhouette of the six groups in the whole embedding (cosine distance): "
        f"{trained['silhouette']:+.2f} after training ({p_phrase(trained['p'])} against shuffled "
        f"labels), {before['silhouette']:+.2f} before ({p_phrase(before['p'])}). Properties that "
        f"separate by themselves after training: {', '.join(found) or 'none'} "
        f"(p < {alpha:g} each, not corrected for {len(single)} tests)."
    )
    if separated:
        verdict = "That holds here."
    elif tighter:
        verdict = (
            "Here the groups are closer together than chance, but they overlap: the claim holds "
            "in part."
        )
    else:
        verdict = "This network does not show it: the groups are no closer together than chance."
    return Item(
        name="figure_8",
        section="analyses",
        title="Figure 8: the residues in two dimensions",
        caption="Input embeddings of the residues by t-SNE and UMAP (5 neighbours, cosine "
        "distance, fixed seeds), coloured by group. Both exaggerate clusters of 20 points; the "
        "numbers below are of the embedding itself.",
        text=[f"{text} The study saw clusters of physico-chemical properties. {verdict}"],
        published="The study shows both projections and gives no number.",
        columns=[
            Column("network", "network", "text"),
            Column("grouping", "residues told apart", "text"),
            Column("silhouette", "silhouette", "number", 2),
            Column("p", "p", "p"),
        ],
        rank=8,
        **said(
            bool(tighter),
            "Residues of one kind lie closer together in the embedding than chance (figure 8), "
            "as the study saw.",
            "Residues of one kind lie no closer together in the embedding than chance (figure 8).",
        ),
    )
