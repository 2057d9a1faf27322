"""Join the shards of a corpus into its training and validation indexes."""

import argparse
import json
from pathlib import Path

from pfamformer.command import run
from pfamformer.families.corpus_index import join_shards
from pfamformer.families.homologues import read_rows
from pfamformer.tables import read_table


def main() -> None:
    """Parse, join, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, nargs="+", help="JSON files of corpus_shard.py")
    parser.add_argument("--homologues", nargs="*", default=[], help="of each shard, Parquet")
    parser.add_argument("--surplus", help="surplus members of clusters, Parquet")
    parser.add_argument("--folder", required=True, help="folder of the corpus")
    arguments = parser.parse_args()
    entries = [json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments.shards]
    left_out = {}
    if arguments.homologues:
        left_out["homologue_of_held_out"] = read_rows(arguments.homologues)
    if arguments.surplus:
        surplus = read_table("surplus", arguments.surplus)
        left_out["cluster_surplus"] = {
            str(name): rows.to_numpy() for name, rows in surplus.groupby("shard")["row"]
        }
    join_shards(Path(arguments.folder), entries, left_out)


if __name__ == "__main__":
    run(main)
