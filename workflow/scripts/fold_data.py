"""Remote homology to tables of domains with a split, and alignments of its training folds."""

import argparse

from pfamformer.command import run
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.fold_alignments import write_alignments
from pfamformer.tasks.folds import domains_of_task, split_of_task


def main() -> None:
    """Parse, convert, align, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="task.parquet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--domains", required=True, help="output: domains.parquet")
    parser.add_argument("--split", required=True, help="output: split.parquet")
    parser.add_argument("--alignments", required=True, help="output: Stockholm, gzipped")
    arguments = parser.parse_args()
    task = read_table("task", arguments.task)
    domains = domains_of_task(task, arguments.task)
    write_table(domains, "domains", arguments.domains)
    write_table(split_of_task(task, domains), "split", arguments.split)
    training = domains[(task["part"] == "train").to_numpy()]
    write_alignments(training, arguments.alignments, arguments.threads)


if __name__ == "__main__":
    run(main)
