"""Call the GO terms of the Pfam families found in a protein."""

import argparse

from pfamformer.command import run
from pfamformer.methods.term_domains import predict, read_pfam2go, read_profiles, scan
from pfamformer.tables import write_table
from pfamformer.tasks.go import ontology_of, read_task


def main() -> None:
    """Parse, scan, look up, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--mapping", required=True, help="pfam2go")
    parser.add_argument("--profiles", required=True, help="Pfam-A.hmm, plain or gzipped")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    arguments = parser.parse_args()
    task = read_task(arguments.terms, arguments.annotations, arguments.proteins)
    mapping = read_pfam2go(arguments.mapping)
    held_out = task.proteins[task.proteins["protein"].isin(task.held_out)]
    found = scan(read_profiles(arguments.profiles, mapping), held_out, arguments.threads)
    calls = predict(found, mapping, ontology_of(task.terms), "domains")
    write_table(calls, "calls", arguments.calls)


if __name__ == "__main__":
    run(main)
