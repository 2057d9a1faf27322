"""Table 6: annotated proteins of each ontology, and sequences with several annotations."""

import argparse

from pfamformer.command import atomic_path, run
from pfamformer.report.items import write_item
from pfamformer.report.table_6 import describe, make_table
from pfamformer.tables import read_json, read_table


def main() -> None:
    """Parse, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--summary", required=True, help="summary.json of the task")
    parser.add_argument("--table", required=True, help="output: table_6.tsv")
    parser.add_argument("--item", required=True, help="output: table_6.json")
    arguments = parser.parse_args()
    table = make_table(
        read_table("annotations", arguments.annotations),
        read_table("proteins", arguments.proteins),
    )
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_item(describe(table, read_json(arguments.summary)), arguments.item)


if __name__ == "__main__":
    run(main)
