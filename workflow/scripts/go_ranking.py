"""Combine all methods that call GO terms by trees that learn on the development part."""

import argparse
import json

import pyarrow as pa

from pfamformer.command import atomic_path, run
from pfamformer.evaluation.terms import questions, read_calls
from pfamformer.methods.term_ranking import fit, predict
from pfamformer.tables import TableWriter, read_table


def main() -> None:
    """Parse, learn, combine, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--members", required=True, nargs="+", help="calls.parquet …")
    parser.add_argument("--run", required=True, help="name of the combination")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    parser.add_argument("--about", required=True, help="output: what was learnt from, as JSON")
    arguments = parser.parse_args()
    terms = read_table("terms", arguments.terms)
    annotations = read_table("annotations", arguments.annotations)
    members = [read_calls(path) for path in arguments.members]
    fits = [
        fit(members, question, terms, arguments.seed)
        for question in questions(terms, annotations, "dev")
    ]
    rankings = [ranking for ranking in fits if ranking]
    asked = questions(terms, annotations)
    with TableWriter("calls", arguments.calls) as writer:
        for piece in predict(members, rankings, asked, arguments.run):
            writer.write(pa.Table.from_pandas(piece, preserve_index=False))
    about = {
        "members": [calls.method for calls in members],
        "learnt": {
            ranking.ontology: {"proteins": ranking.proteins, "candidates": ranking.candidates}
            for ranking in rankings
        },
    }
    with atomic_path(arguments.about) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
