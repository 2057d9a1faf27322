"""Residue contacts of protein structures, on the sequences that a network sees."""

import argparse

from pfamformer.command import atomic_path, run
from pfamformer.tables import write_table
from pfamformer.tasks.contacts import contact_task


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", required=True, nargs="+", help="PDB or mmCIF files")
    parser.add_argument("--max-distance", type=float, required=True, help="Å")
    parser.add_argument("--min-length", type=int, required=True, help="residues")
    parser.add_argument("--task", required=True, help="output: task.parquet")
    parser.add_argument("--contacts", required=True, help="output: contacts.parquet")
    parser.add_argument("--rejects", required=True, help="output: rejects.tsv")
    arguments = parser.parse_args()
    task, contacts, rejects = contact_task(
        arguments.structures,
        max_distance=arguments.max_distance,
        min_length=arguments.min_length,
    )
    write_table(task, "task", arguments.task)
    write_table(contacts, "contacts", arguments.contacts)
    with atomic_path(arguments.rejects) as temporary:
        rejects.to_csv(temporary, sep="\t", index=False)


if __name__ == "__main__":
    run(main)
