"""Figure 8: the residues' embeddings in two dimensions, coloured by property."""

import pandas as pd

from pfamformer.analysis.embedding import project, silhouette
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.residues import BLOSUM_ORDER, PROPERTIES, group_of, residue_rows
from pfamformer.command import run
from pfamformer.report.figure_8 import describe, draw


def main() -> None:
    """Parse, project, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--draws", type=int, required=True, help="permutations")
    arguments = parser.parse_args()
    found = snapshots(arguments.steps, arguments.weights)
    groupings = {"all groups": group_of()} | {
        name: [residue in members for residue in BLOSUM_ORDER]
        for name, members in PROPERTIES.items()
    }
    rows = []
    for network, snapshot in (("untrained", found[0]), ("trained", found[-1])):
        embedding = residue_rows(snapshot.load().encoder.embedding.weight.detach().numpy())
        for name, labels in groupings.items():
            value, p = silhouette(embedding, labels, draws=arguments.draws, seed=arguments.seed)
            rows.append({"network": network, "grouping": name, "silhouette": value, "p": p})
    table = pd.DataFrame(rows)
    figure = draw(project(embedding, arguments.seed))
    write_analysis(arguments, figure, table, describe(table, 1 - arguments.confidence))


if __name__ == "__main__":
    run(main)
