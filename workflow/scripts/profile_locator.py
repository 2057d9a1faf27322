"""Locate domains on held-out proteins by profile HMMs of the training proteins' domains."""

import argparse

import pandas as pd

from pfamformer.command import log, run
from pfamformer.methods.profile_hmm import build_profiles
from pfamformer.methods.profile_locator import (
    gathering_thresholds,
    profile_calls,
    training_domains,
)
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, build, search, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed-alignments", required=True, help="Stockholm file")
    parser.add_argument("--min-length", type=int, required=True, help="as for the domain table")
    parser.add_argument("--domains", required=True, help="domains.parquet, of the seed alignments")
    parser.add_argument("--families", required=True, help="families.tsv")
    parser.add_argument("--sequences", required=True, help="localisation/sequences.parquet")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    arguments = parser.parse_args()
    slices = read_table("localisation", arguments.sequences)
    train = training_domains(read_table("domains", arguments.domains), slices)
    built = build_profiles(arguments.seed_alignments, train, arguments.min_length, arguments.seed)
    hmms = [hmm for hmm, _ in built]
    held_out = slices[slices["part"] != "train"]
    log.info("%d profiles, %d slices", len(hmms), len(held_out))
    thresholds = gathering_thresholds(pd.read_csv(arguments.families, sep="\t"))
    found = profile_calls(hmms, held_out, thresholds, arguments.threads)
    write_table(found, "calls", arguments.calls)


if __name__ == "__main__":
    run(main)
