"""Table 6: annotated proteins of each ontology, and sequences with several annotations."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pfamformer.report.items import Column, Item
from pfamformer.report.published import TABLE_6
from pfamformer.tasks.go import ONTOLOGIES

NAMES = {"bpo": "BPO", "cco": "CCO", "mfo": "MFO"}


def make_table(annotations: pd.DataFrame, proteins: pd.DataFrame) -> pd.DataFrame:
    """One row per ontology: proteins, how many share their sequence, how many disagree about it.

    ``repeated``: annotated proteins whose sequence another annotated protein has too;
    ``differing``: those of them whose group does not agree on the annotated terms. Shares in
    per cent.
    """
    sequence = dict(zip(proteins["protein"], proteins["sequence"], strict=True))
    positive = annotations[annotations["direct"] & ~annotations["negative"]]
    rows = []
    for name in sorted(ONTOLOGIES):
        of = positive[positive["ontology"] == name].groupby("protein")["term"].agg(frozenset)
        groups = of.groupby(of.index.map(sequence)).agg(["size", "nunique"])
        repeated = int(groups.loc[groups["size"] > 1, "size"].sum())
        differing = int(groups.loc[groups["nunique"] > 1, "size"].sum())
        published_proteins, published_differing = TABLE_6[name]
        rows.append(
            [NAMES[name], len(of), repeated, differing, 100 * differing / max(1, len(of)),
             published_proteins, published_differing,
             100 * published_differing / published_proteins]
        )  # fmt: skip
    return pd.DataFrame(
        rows,
        columns=["ontology", "proteins", "repeated", "differing", "differing_share",
                 "published_proteins", "published_differing", "published_share"],
    )  # fmt: skip


def describe(table: pd.DataFrame, summary: Mapping) -> Item:
    """The item of the report."""
    counts = summary["annotation_file"]
    worst = table.loc[table["differing_share"].idxmax()]
    return Item(
        name="table_6",
        section="function",
        title="Table 6: annotated proteins, and sequences with several annotations",
        caption="Proteins with an experimental annotation in each ontology; among them those whose "
        "sequence occurs in several proteins, and those whose copies do not have the same terms.",
        text=[
            f"Of {counts['rows']:,} rows of the annotation file {counts.get('kept', 0):,} have "
            f"evidence that counts and a term in use; {counts.get('rejected', 0):,} were broken. "
            f"{summary['proteins_left_out']:,} annotated proteins have no sequence here or were "
            "not drawn.",
            f"Most proteins whose copies disagree are in {worst['ontology']}: "
            f"{worst['differing']:,} of the {worst['repeated']:,} with a repeated sequence, "
            f"{worst['differing_share']:.2f} % of all. From the sequence alone no method can get "
            "all of them right; a missing term may only say that nobody looked.",
        ],
        published="The study counts CAFA3's training set; here its test proteins are in it too."
        if summary["data"] == "cafa3"
        else "The study counts all species of CAFA3's training set; here it is the "
        "proteins of one annotation file.",
        numbers="table_6.tsv",
        columns=[
            Column("ontology", "Ontology", "text"),
            Column("proteins", "Proteins", digits=0),
            Column("repeated", "Sequence repeated", digits=0),
            Column("differing", "… with other terms", digits=0),
            Column("differing_share", "%", digits=2),
            Column("published_proteins", "Published: proteins", digits=0),
            Column("published_differing", "Published: several annotations", digits=0),
            Column("published_share", "%", digits=2),
        ],
        rank=6,
        findings=[
            f"Few proteins have the sequence of another one and other terms (table 6): at most "
            f"{worst['differing_share']:.2f} %, in {worst['ontology']}, where "
            f"{worst['differing']:,} of {worst['repeated']:,} proteins with a repeated sequence "
            "differ."
        ],
    )
