"""Split domains into train, dev and test."""

import argparse

from pfamformer.command import log, run
from pfamformer.families.similarity import over_threshold
from pfamformer.families.splits import clustered_split, nearest_train_identity, random_split
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, split, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--similarity", required=True, help="similarity.parquet")
    parser.add_argument("--method", required=True, choices=["clustered", "random"])
    parser.add_argument("--min-identity", type=float, required=True)
    parser.add_argument("--min-coverage", type=float, required=True)
    parser.add_argument("--dev-share", type=float, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="split.parquet")
    parser.add_argument(
        "--held-out", required=True, help="held_out.parquet: domains outside the training part"
    )
    arguments = parser.parse_args()
    domains = read_table("domains", arguments.domains)
    pairs = read_table("similarity", arguments.similarity)
    shares = {"dev": arguments.dev_share, "test": arguments.test_share, "seed": arguments.seed}
    if arguments.method == "clustered":
        edges = pairs[over_threshold(pairs, arguments.min_identity, arguments.min_coverage)]
        split = clustered_split(domains, edges, **shares)
    else:
        split = random_split(domains, **shares)
    lengths = dict(zip(domains["id"], domains["sequence"].str.len(), strict=True))
    split["nearest_train_identity"] = nearest_train_identity(split, pairs, lengths)
    log.info("%s", split["part"].value_counts().to_dict())
    write_table(split, "split", arguments.output)
    held_out = domains[(split["part"] != "train").to_numpy()]
    write_table(held_out, "domains", arguments.held_out)


if __name__ == "__main__":
    run(main)
