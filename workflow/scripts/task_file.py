"""Read a task in somebody else's format into the tables task and contacts."""

import argparse

from pfamformer.command import atomic_path, run
from pfamformer.tables import write_table
from pfamformer.tasks.tabular import read_astral, read_flip, read_scope_tsv, read_tape_tsv
from pfamformer.tasks.tape import read_tape


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", required=True, help="file or folder")
    parser.add_argument(
        "--format", required=True, choices=["tape", "tape_tsv", "scope_tsv", "astral", "flip"]
    )
    parser.add_argument("--kind", help="which of TAPE's tasks (format 'tape')")
    parser.add_argument("--seed", type=int, required=True, help="of the split of SCOPe's domains")
    parser.add_argument("--task", required=True, help="output: task.parquet")
    parser.add_argument("--contacts", required=True, help="output: contacts.parquet")
    parser.add_argument("--rejects", required=True, help="output: rejects.tsv")
    arguments = parser.parse_args()
    if arguments.format == "tape":
        found = read_tape(arguments.file, arguments.kind)
    elif arguments.format == "tape_tsv":
        found = read_tape_tsv(arguments.file)
    elif arguments.format == "scope_tsv":
        found = read_scope_tsv(arguments.file, arguments.seed)
    elif arguments.format == "astral":
        found = read_astral(arguments.file, arguments.seed)
    else:
        found = read_flip(arguments.file)
    write_table(found.task, "task", arguments.task)
    write_table(found.contacts, "contacts", arguments.contacts)
    with atomic_path(arguments.rejects) as temporary:
        found.rejects.to_csv(temporary, sep="\t", index=False)


if __name__ == "__main__":
    run(main)
