"""Call GO terms of similar training proteins: by best identity, and by a vote of bit scores."""

import argparse

from pfamformer.command import run
from pfamformer.methods import BEST_IDENTITY, BIT_SCORE_VOTE, CLOSE_VOTE, NEAREST_VOTE
from pfamformer.methods.term_neighbours import neighbours, predict
from pfamformer.tables import write_table
from pfamformer.tasks.go import read_task

OUTPUTS = {
    "identity": BEST_IDENTITY,
    "vote": BIT_SCORE_VOTE,
    "nearest": NEAREST_VOTE,
    "close": CLOSE_VOTE,
}


def main() -> None:
    """Parse, search, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--sensitivity", type=float, required=True, help="-s of MMseqs2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--neighbours", required=True, help="output: neighbours.parquet")
    for name in OUTPUTS:
        parser.add_argument(f"--{name}-calls", required=True, help="output: calls.parquet")
    arguments = parser.parse_args()
    task = read_task(arguments.terms, arguments.annotations, arguments.proteins)
    hits = neighbours(task, task.held_out, arguments.threads, arguments.sensitivity)
    calls = predict(task, hits, "neighbours")
    write_table(hits, "neighbours", arguments.neighbours)
    for name, method in OUTPUTS.items():
        write_table(calls[method], "calls", getattr(arguments, f"{name}_calls"))


if __name__ == "__main__":
    run(main)
