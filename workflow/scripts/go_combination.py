"""Combine methods that call GO terms; weights are fitted on the development part."""

import argparse
import json
from dataclasses import asdict

from pfamformer.command import atomic_path, run
from pfamformer.evaluation.terms import questions, read_calls
from pfamformer.methods.term_combination import fit, predict
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, fit, combine, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--members", required=True, nargs="+", help="calls.parquet …")
    parser.add_argument("--run", required=True, help="name of the combination")
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    parser.add_argument("--about", required=True, help="output: weights as JSON")
    arguments = parser.parse_args()
    terms = read_table("terms", arguments.terms)
    annotations = read_table("annotations", arguments.annotations)
    members = [read_calls(path) for path in arguments.members]
    fits = [fit(members, question) for question in questions(terms, annotations, "dev")]
    calls = predict(members, fits, questions(terms, annotations), arguments.run)
    write_table(calls, "calls", arguments.calls)
    about = {"members": [calls.method for calls in members], "fits": [asdict(f) for f in fits]}
    with atomic_path(arguments.about) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
