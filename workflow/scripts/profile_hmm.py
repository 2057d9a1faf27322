"""Build a profile HMM per family from its training rows and predict the test part by top pick."""

import argparse
from pathlib import Path

from pfamformer.command import log, run
from pfamformer.methods import REFERENCE
from pfamformer.methods.outputs import SCORED, parts_of, write_outputs
from pfamformer.methods.profile_hmm import build_profiles, search, write_profiles
from pfamformer.tables import read_table


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
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument(
        "--output", required=True, type=Path, help="folder for predictions and scores"
    )
    arguments = parser.parse_args()
    parts = parts_of(read_table("domains", arguments.domains), read_table("split", arguments.split))
    built = build_profiles(
        arguments.seed_alignments, set(parts["train"]["id"]), arguments.min_length, arguments.seed
    )
    hmms = [hmm for hmm, _ in built]
    log.info("%d profiles", write_profiles(arguments.profiles, hmms))
    found = {part: search(hmms, parts[part], arguments.threads) for part in SCORED}
    write_outputs(
        found,
        parts,
        arguments.output,
        method=REFERENCE,
        run=arguments.run,
        limit=arguments.candidates,
    )


if __name__ == "__main__":
    run(main)
