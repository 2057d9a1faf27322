"""Write the JSON schema of the configuration and README.md beside it, or check both."""

import argparse
import json
import sys
from pathlib import Path

from pfamformer.command import run
from pfamformer.config import schema
from pfamformer.reference import readme


def main() -> None:
    """Parse, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="schema.json")
    parser.add_argument("--check", action="store_true", help="end with status 1 on a difference")
    arguments = parser.parse_args()
    files = {
        arguments.path: json.dumps(schema(), indent=1) + "\n",
        arguments.path.with_name("README.md"): readme() + "\n",
    }
    for path, current in files.items():
        if not arguments.check:
            path.write_text(current, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != current:
            sys.exit(f"{path} is not what config.py defines: run 'make format'")


if __name__ == "__main__":
    run(main)
