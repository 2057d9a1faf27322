"""Find the training sequences of a shard that hold a homologue of a held-out domain."""

import argparse
import json
from pathlib import Path

from pfamformer.command import log, run
from pfamformer.config import HomologueSettings
from pfamformer.families.homologues import homologues
from pfamformer.sequences.shards import MappedShard
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, search, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", required=True, help="JSON file of corpus_shard.py")
    parser.add_argument("--folder", required=True, help="training part of the corpus")
    parser.add_argument("--held-out", required=True, help="held_out.parquet")
    parser.add_argument("--definition", required=True, help="corpora.exclude_test_homologues, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="homologues, Parquet")
    arguments = parser.parse_args()
    entry = json.loads(Path(arguments.shard).read_text(encoding="utf-8"))["train"]
    settings = HomologueSettings.model_validate_json(arguments.definition)
    shard = MappedShard(Path(arguments.folder), entry)
    held_out = read_table("domains", arguments.held_out)
    found = homologues(shard, held_out, settings, arguments.threads)
    log.info("%d of %d sequences hold a homologue", len(found), entry["sequences"])
    write_table(found, "homologues", arguments.output)


if __name__ == "__main__":
    run(main)
