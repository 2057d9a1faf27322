"""Print what each stage of a finished project cost, as a Markdown table.

python workflow/cost_table.py results/demo

Time of the jobs, time of processor cores, and the largest memory of one job.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
from pfamformer.report.cost import costs


def main(folder: Path) -> None:
    """Print one line per rule, slowest first."""
    print("| rule | jobs | time of all, min | core time, min | memory of one, GB |")
    print("|---|---|---|---|---|")
    for row in costs(folder).itertuples():
        print(f"| {row.rule} | {row.jobs} | {row.minutes:.1f} | {row.core_minutes:.1f} "
              f"| {row.gigabytes:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
