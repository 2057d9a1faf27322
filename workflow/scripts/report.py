"""Write the report: one HTML page that needs nothing else."""

import argparse
from pathlib import Path

from pfamformer.command import atomic_path, run
from pfamformer.report.page import make_page


def main() -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, help="results/<project>")
    parser.add_argument("--items", required=True, nargs="*", type=Path, help="JSON files to show")
    parser.add_argument("--template", required=True, type=Path)
    parser.add_argument("--options", default="", help="command-line options of this configuration")
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    page = make_page(arguments.results, arguments.items, arguments.template, arguments.options)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
