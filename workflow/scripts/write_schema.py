"""Write the JSON schema of the configuration, or check that the written one is current."""

import argparse
import json
import sys
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import schema


def main() -> None:
    """Parse, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--check", action="store_true", help="end with status 1 on a difference")
    arguments = parser.parse_args()
    current = json.dumps(schema(), indent=1) + "\n"
    if not arguments.check:
        arguments.path.write_text(current, encoding="utf-8")
    elif arguments.path.read_text(encoding="utf-8") != current:
        sys.exit(f"{arguments.path} is not what config.py defines: run 'make format'")


if __name__ == "__main__":
    run(main)
