"""Split domains into train, dev and test."""

import argparse
import json

from pfamformer.command import atomic_path, log, run
from pfamformer.families.seed_identity import nearest_training_identity
from pfamformer.families.splits import (
    clustered_split,
    nearest_train_identity,
    random_split,
    summarise,
)
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, split, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--components", required=True, help="components.parquet")
    parser.add_argument("--alignments", help="Pfam-A.seed.gz: take identity from it; no search")
    parser.add_argument("--method", required=True, choices=["clustered", "random"])
    parser.add_argument("--dev-share", type=float, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="split.parquet")
    parser.add_argument("--held-out", required=True, help="output: held-out domains, Parquet")
    parser.add_argument("--summary", required=True, help="output: one line per family, TSV")
    parser.add_argument("--totals", required=True, help="output: summary.json")
    arguments = parser.parse_args()
    domains = read_table("domains", arguments.domains)
    shares = {"dev": arguments.dev_share, "test": arguments.test_share, "seed": arguments.seed}
    if arguments.method == "clustered":
        split = clustered_split(read_table("components", arguments.components), **shares)
    else:
        split = random_split(domains, **shares)
    part = split["part"]
    log.info("%s", part.value_counts().to_dict())
    split["nearest_train_identity"] = (
        nearest_training_identity(domains, part, arguments.alignments)
        if arguments.alignments
        else nearest_train_identity(domains, part, arguments.threads)
    )
    write_table(split, "split", arguments.output)
    write_table(domains[(part != "train").to_numpy()], "domains", arguments.held_out)
    families, totals = summarise(split)
    write_table(families, "split_summary", arguments.summary)
    with atomic_path(arguments.totals) as temporary:
        temporary.write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
