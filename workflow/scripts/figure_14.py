"""Figure 14: attention against residue contacts, untrained and trained."""

import pandas as pd

from pfamformer.analysis.contacts import contact_curves, predictions, structures_of
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.command import atomic_path, run
from pfamformer.report.figure_14 import describe, draw, summary
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, read, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--task", required=True, help="task.parquet of the contacts")
    parser.add_argument("--contacts", required=True, help="contacts.parquet")
    parser.add_argument("--fitted", required=True, type=int, help="structures of the regression")
    parser.add_argument("--chains", required=True, type=int, help="chains at most")
    parser.add_argument("--longest", required=True, type=int, help="residues of a chain at most")
    arguments = parser.parse_args()
    structures = structures_of(
        read_table("task", arguments.task),
        read_table("contacts", arguments.contacts),
        max_length=arguments.longest,
        most=arguments.chains,
        seed=arguments.seed,
    )
    found = snapshots(arguments.steps, arguments.weights)
    device = prepare_device(1)
    curves, base, scores = contact_curves(
        {"untrained": found[0], "trained": found[-1]}, structures, device
    )
    predicted = predictions(scores, structures, arguments.fitted, arguments.seed)
    table = summary(curves, base)
    item = describe(table, predicted, len(structures))
    with atomic_path(arguments.figure.removesuffix(".svg") + "_regression.tsv") as temporary:
        predicted.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_analysis(arguments, draw(curves, base), pd.DataFrame(table), item)


if __name__ == "__main__":
    run(main)
