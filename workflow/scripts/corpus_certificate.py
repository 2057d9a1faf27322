"""Search held-out domains in a finished corpus, some shards at a time."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, log, run
from pfamformer.config import HomologueSettings
from pfamformer.families.homologues import certify_shards
from pfamformer.tables import read_table


def main() -> None:
    """Parse, search, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", required=True, help="index.json of the training part")
    parser.add_argument("--batch", type=int, required=True, help="number of this job, from 0")
    parser.add_argument("--size", type=int, required=True, help="shards of a job")
    parser.add_argument("--held-out", required=True, help="held_out.parquet")
    parser.add_argument("--definition", required=True, help="corpora.exclude_test_homologues, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="JSON")
    arguments = parser.parse_args()
    index = Path(arguments.index)
    shards = json.loads(index.read_text(encoding="utf-8"))["shards"]
    start = arguments.batch * arguments.size
    found = certify_shards(
        index.parent,
        shards[start : start + arguments.size],
        read_table("domains", arguments.held_out),
        HomologueSettings.model_validate_json(arguments.definition),
        arguments.threads,
    )
    log.info("%(leaking_sequences)d of %(sequences)d sequences hold a homologue", found)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
