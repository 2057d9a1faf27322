"""Separation of families by trained and untrained encoders."""

from pfamformer.analysis.encoders import encoders_of
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.separation import choose, separation
from pfamformer.analysis.vectors import composition, vectors_by_name
from pfamformer.command import run
from pfamformer.report.separation import COMPOSITION, LSTM, TRAINED, UNTRAINED, describe, draw
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import read_table
from pfamformer.training.batches import InMemory


def main() -> None:
    """Parse, compare, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--domains", required=True)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--per-family", type=int, required=True, help="training domains at most")
    parser.add_argument("--max-length", type=int, required=True, help="residues of a domain")
    parser.add_argument("--budget", type=int, required=True, help="tokens of a batch")
    arguments = parser.parse_args()
    found = snapshots(arguments.steps, arguments.weights)
    chosen = choose(
        read_table("domains", arguments.domains),
        read_table("split", arguments.split),
        arguments.per_family,
        arguments.seed,
    )
    sequences = InMemory([encode(s) for s in chosen["sequence"]])
    vectors = vectors_by_name(
        (TRAINED, UNTRAINED, LSTM),
        encoders_of(found, arguments.seed),
        sequences,
        budget=arguments.budget,
        max_length=arguments.max_length,
    )
    table = separation(
        vectors | {COMPOSITION: composition(sequences)},
        chosen,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    test = chosen[chosen["part"] == "test"]
    item = describe(table, len(test), test["family"].nunique())
    write_analysis(arguments, draw(table), table, item)


if __name__ == "__main__":
    run(main)
