"""Families of one's own through the workflow, with everything else from the provider."""

import json

from conftest import TINY, snakemake
from pfamformer.tables import read_table


def test_domains_alone_make_splits_corpora_and_tasks(tiny):
    given = read_table("domains", tiny / "results/tiny/domains/domains.parquet")
    rows = given[["family", "sequence"]].rename(columns={"family": "family_accession"})
    (tiny / "data").mkdir()
    rows.to_csv(tiny / "data/domains.tsv.gz", sep="\t", index=False)
    ended = snakemake(
        tiny, "splits", "localisation_data", "corpora", "tasks", "--cores", 2,
        "--show-failed-logs", *TINY, "config/own_families.yaml",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-4000:]
    results = tiny / "results/own_families"
    domains = read_table("domains", results / "domains/domains.parquet")
    assert sorted(domains["sequence"]) == sorted(given["sequence"])
    split = read_table("split", results / "splits/clustered/split.parquet")
    assert set(split["id"]) == set(domains["id"])
    # No annotated protein is among the families: they come from the provider.
    annotated = json.loads((results / "tasks/go/summary.json").read_text())["ontologies"]
    assert all(found["train"] and found["test"] for found in annotated.values())
