"""Print what each stage of a finished project cost, as a Markdown table.

python workflow/cost_table.py results/demo

Numbers are those of Snakemake's benchmark files: time of the jobs, time of processor cores, and the
largest memory of one job.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def main(folder: Path) -> None:
    """Print one line per rule, slowest first."""
    found = {}
    for path in sorted((folder / "benchmarks").rglob("*.tsv")):
        rule = path.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")
        found.setdefault(rule, []).append(pd.read_csv(path, sep="\t", na_values="-").iloc[-1])
    print("| rule | jobs | time of all, min | core time, min | memory of one, GB |")
    print("|---|---|---|---|---|")
    for rule, jobs in sorted(found.items(), key=lambda entry: -sum(j["s"] for j in entry[1])):
        seconds, cores = (sum(job[key] for job in jobs) for key in ("s", "cpu_time"))
        memory = max(job["max_rss"] for job in jobs) / 1024
        print(f"| {rule} | {len(jobs)} | {seconds / 60:.1f} | {cores / 60:.1f} | {memory:.1f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
