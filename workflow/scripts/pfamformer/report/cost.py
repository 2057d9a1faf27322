"""What the jobs of a project cost, from the benchmark files that Snakemake writes beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def costs(folder: Path) -> pd.DataFrame:
    """One row per rule that measures its jobs, the longest first.

    Args:
        folder: ``results/<project>``.

    Returns:
        Columns ``rule``, ``jobs``, ``minutes`` (of all its jobs), ``core_minutes``, ``gigabytes``
        (largest memory of one job).
    """
    jobs = [
        {"rule": path.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")}
        # A job that was repeated has a line for each time; the last is what stands.
        | dict(pd.read_csv(path, sep="\t", na_values="-").iloc[-1])
        for path in sorted((folder / "benchmarks").rglob("*.tsv"))
    ]
    found = pd.DataFrame(jobs, columns=["rule", "s", "cpu_time", "max_rss"]).groupby("rule")
    table = pd.DataFrame(
        {
            "jobs": found.size(),
            "minutes": found["s"].sum() / 60,
            "core_minutes": found["cpu_time"].sum() / 60,
            "gigabytes": found["max_rss"].max() / 1024,
        }
    )
    return table.reset_index().sort_values("minutes", ascending=False, ignore_index=True)
