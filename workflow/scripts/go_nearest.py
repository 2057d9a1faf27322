"""Call the GO terms of the training proteins that are nearest in a network's embedding space."""

import argparse

from pfamformer.command import run
from pfamformer.methods.network import embeddings
from pfamformer.methods.term_neighbours import vote
from pfamformer.methods.term_network import EMBEDDING, load, nearest, training_proteins
from pfamformer.tables import write_table
from pfamformer.tasks.go import read_task
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, embed, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="of a run of kind 'terms'")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", required=True, help="output: calls.parquet")
    arguments = parser.parse_args()
    model, settings = load(arguments.weights, prepare_device(arguments.threads))
    task = read_task(arguments.terms, arguments.annotations, arguments.proteins)
    held_out = task.proteins[task.proteins["protein"].isin(task.held_out)]
    training = training_proteins(task, settings)
    vectors = [embeddings(model, settings, table) for table in (held_out, training)]
    hits = nearest(
        held_out["protein"].tolist(), vectors[0], training["protein"].tolist(), vectors[1]
    )
    write_table(vote(task, hits, EMBEDDING, arguments.run), "calls", arguments.calls)


if __name__ == "__main__":
    run(main)
