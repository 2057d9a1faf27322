"""Embedding arithmetic between kinds of proteins and between species."""

import pandas as pd

from pfamformer.analysis.encoders import encoders_of
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.orthologues import arithmetic, read_orthologues
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.vectors import composition, vectors_by_name
from pfamformer.command import run
from pfamformer.report.orthologues import describe, draw
from pfamformer.report.separation import COMPOSITION, TRAINED, UNTRAINED
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import InMemory


def main() -> None:
    """Parse, add, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--orthologues", required=True, help="TSV: kind, species, sequence")
    parser.add_argument("--max-length", type=int, required=True, help="residues of a protein")
    parser.add_argument("--budget", type=int, required=True, help="tokens of a batch")
    arguments = parser.parse_args()
    table: pd.DataFrame = read_orthologues(arguments.orthologues)
    sequences = InMemory([encode(s) for s in table["sequence"]])
    found = snapshots(arguments.steps, arguments.weights)
    vectors = vectors_by_name(
        (TRAINED, UNTRAINED),
        encoders_of(found, arguments.seed)[:2],
        sequences,
        budget=arguments.budget,
        max_length=arguments.max_length,
    )
    summary = arithmetic(
        vectors | {COMPOSITION: composition(sequences)},
        table,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    item = describe(summary, len(table), table["kind"].nunique(), table["species"].nunique())
    write_analysis(arguments, draw(summary), summary, item)


if __name__ == "__main__":
    run(main)
