"""Build a profile HMM per family from its training rows and predict the test part by top pick."""

import argparse

from pfamformer.command import log, run
from pfamformer.methods.profile_hmm import build_profiles, predictions, top_picks, write_profiles
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, build, search, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed-alignments", required=True, help="Stockholm file")
    parser.add_argument("--min-length", type=int, required=True, help="as for the domain table")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--run", required=True, help="name in the predictions table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--profiles", required=True, help="output: profiles.hmm")
    parser.add_argument("--predictions", required=True, help="output: predictions.parquet")
    arguments = parser.parse_args()
    domains = read_table("domains", arguments.domains)
    part = domains["id"].map(read_table("split", arguments.split).set_index("id")["part"])
    train = set(domains.loc[part == "train", "id"])
    built = build_profiles(arguments.seed_alignments, train, arguments.min_length, arguments.seed)
    hmms = [hmm for hmm, _ in built]
    log.info("%d profiles", write_profiles(arguments.profiles, hmms))
    test = domains[part == "test"]
    picks = top_picks(hmms, test, arguments.threads)
    write_table(predictions(test, picks, arguments.run), "predictions", arguments.predictions)


if __name__ == "__main__":
    run(main)
