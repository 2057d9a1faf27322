"""Put table 3 of a finished project into README.md, between its two markers.

python workflow/readme_table.py results/demo
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

README = Path(__file__).resolve().parents[1] / "README.md"
MARKERS = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.S)


def rows(table: pd.DataFrame) -> str:
    """The methods that ran, best first, as Markdown."""
    lines = ["| method | start | right, % of test domains | published, % |", "|---|---|---|---|"]
    for row in table[table["accuracy"].notna()].fillna({"start": ""}).itertuples():
        start = {"untrained": "random", "none": ""}.get(row.start, row.start)
        published = "" if pd.isna(row.published) else f"{row.published:g}"
        interval = f"({row.accuracy_low:.1f}–{row.accuracy_high:.1f})"
        lines.append(f"| {row.method} | {start} | {row.accuracy:.1f} {interval} | {published} |")
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Read the table, write the page."""
    found = rows(pd.read_csv(folder / "tables" / "table_3.tsv", sep="\t"))
    text = README.read_text(encoding="utf-8")
    README.write_text(MARKERS.sub(lambda m: m[1] + found + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
