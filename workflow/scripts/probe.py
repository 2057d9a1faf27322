"""A linear probe for secondary structure at every layer."""

from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.probe import labelled, probe
from pfamformer.command import run
from pfamformer.report.probe import describe, draw
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, probe, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--structure", required=True, help="task.parquet with states")
    parser.add_argument("--chains", required=True, type=int, help="of each part at most")
    parser.add_argument("--longest", required=True, type=int, help="residues of a chain at most")
    arguments = parser.parse_args()
    found = snapshots(arguments.steps, arguments.weights)
    task = read_table("task", arguments.structure)
    data = labelled(task, arguments.chains, arguments.longest)
    table = probe(
        [("untrained", found[0]), ("trained", found[-1])],
        data,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
        device=prepare_device(1),
    )
    write_analysis(arguments, draw(table), table, describe(table, len(data.tokens)))


if __name__ == "__main__":
    run(main)
