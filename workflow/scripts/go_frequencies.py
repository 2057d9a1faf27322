"""Call GO terms by their training frequency."""

import argparse

from pfamformer.command import run
from pfamformer.methods.term_frequencies import predict
from pfamformer.tables import write_table
from pfamformer.tasks.go import read_task


def main() -> None:
    """Parse, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    arguments = parser.parse_args()
    task = read_task(arguments.terms, arguments.annotations, arguments.proteins)
    write_table(predict(task, task.held_out, "frequencies"), "calls", arguments.calls)


if __name__ == "__main__":
    run(main)
