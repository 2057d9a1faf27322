"""Write pfam2go and the profiles it names, out of the wheel with Pfam profiles and InterPro."""

import argparse

from pfamformer.command import run
from pfamformer.sources.embedded_terms import write_mapping, write_profiles


def main() -> None:
    """Parse, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", required=True, help="wheel with profiles and InterPro")
    parser.add_argument("--mapping", required=True, help="output: pfam2go")
    parser.add_argument("--hmms", required=True, help="output: Pfam-A.hmm.gz")
    arguments = parser.parse_args()
    families = write_mapping(arguments.profiles, arguments.mapping)
    write_profiles(arguments.profiles, families, arguments.hmms)


if __name__ == "__main__":
    run(main)
