"""Search held-out against training domains and write the leakage certificate, or fail."""

import argparse
import json

from pfamformer.command import atomic_path, log, run
from pfamformer.families.leakage import certify, refuse_leaks
from pfamformer.tables import read_table


def main() -> None:
    """Parse, search, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--min-identity", type=float, required=True)
    parser.add_argument("--min-coverage", type=float, required=True)
    parser.add_argument("--min-bits", type=float, required=True)
    parser.add_argument("--prefilter", default="none", choices=["none", "family", "ungapped"])
    parser.add_argument("--alignments", help="Pfam-A.seed.gz: take identity from it; no search")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--may-leak", action="store_true", help="write the count instead of failing (random split)"
    )
    parser.add_argument("--output", required=True, help="leakage.json")
    arguments = parser.parse_args()
    found = certify(
        read_table("domains", arguments.domains),
        read_table("split", arguments.split),
        min_identity=arguments.min_identity,
        min_coverage=arguments.min_coverage,
        min_bits=arguments.min_bits,
        prefilter=arguments.prefilter,
        threads=arguments.threads,
        seed=arguments.alignments,
    )
    log.info("%d leaking pairs, %d domains", found["leaking_pairs"], found["leaking_rows"])
    if not arguments.may_leak:
        refuse_leaks(found, arguments.split)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
