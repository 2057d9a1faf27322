"""Write the calls of one method on the test proteins as a CAFA submission."""

import argparse

from pfamformer.command import run
from pfamformer.methods.calls import write_submission
from pfamformer.tables import read_table


def main() -> None:
    """Parse, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", required=True, help="calls.parquet of a method")
    parser.add_argument("--annotations", required=True, help="annotations.parquet of the task")
    parser.add_argument("--author", required=True, help="name of the team")
    parser.add_argument("--submission", required=True, help="output: text as CAFA asks")
    arguments = parser.parse_args()
    annotations = read_table("annotations", arguments.annotations)
    asked = annotations.loc[annotations["part"] == "test", "protein"]
    calls = read_table("calls", arguments.calls)
    chosen = calls[calls["protein"].isin(asked)]
    write_submission(chosen, arguments.submission, arguments.author)


if __name__ == "__main__":
    run(main)
