"""Join the shards of a corpus into its training and validation indexes."""

import argparse
import json
from pathlib import Path

from pfamformer.command import run
from pfamformer.families.corpus_index import join_shards


def main() -> None:
    """Parse, join, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", required=True, nargs="+", help="JSON files of corpus_shard.py")
    parser.add_argument("--folder", required=True, help="folder of the corpus")
    arguments = parser.parse_args()
    entries = [json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments.shards]
    join_shards(Path(arguments.folder), entries, {})


if __name__ == "__main__":
    run(main)
