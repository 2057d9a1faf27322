"""Cluster the training sequences of a corpus and name the surplus members of each cluster."""

import argparse
import json
from pathlib import Path

from pfamformer.command import log, run
from pfamformer.families.clusters import surplus_members
from pfamformer.families.homologues import read_rows
from pfamformer.tables import write_table


def main() -> None:
    """Parse, cluster, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, nargs="+", help="JSON files of corpus_shard.py")
    parser.add_argument("--homologues", nargs="*", default=[], help="of each shard, Parquet")
    parser.add_argument("--folder", required=True, help="training part of the corpus")
    parser.add_argument("--min-identity", type=float, required=True)
    parser.add_argument("--min-coverage", type=float, required=True)
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="surplus, Parquet")
    arguments = parser.parse_args()
    entries = [json.loads(Path(p).read_text(encoding="utf-8"))["train"] for p in arguments.shards]
    found = surplus_members(
        Path(arguments.folder),
        entries,
        read_rows(arguments.homologues),
        min_identity=arguments.min_identity,
        min_coverage=arguments.min_coverage,
        members=arguments.members,
        threads=arguments.threads,
    )
    read = sum(entry["sequences"] for entry in entries)
    log.info("%d of %d sequences are surplus", len(found), read)
    write_table(found, "surplus", arguments.output)


if __name__ == "__main__":
    run(main)
