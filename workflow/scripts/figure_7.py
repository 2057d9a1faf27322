"""Figure 7: similarity of the residues in the input embedding, beside BLOSUM62."""

from pfamformer.analysis.embedding import mantel, similarity_matrices
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.residues import blosum62, residue_rows
from pfamformer.command import run
from pfamformer.report.figure_7 import describe, draw, numbers


def main() -> None:
    """Parse, compare, write."""
    parser = item_parser(__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--draws", type=int, required=True, help="permutations")
    arguments = parser.parse_args()
    found = snapshots(arguments.steps, arguments.weights)
    reference = blosum62()
    tests = {}
    for network, snapshot in (("untrained", found[0]), ("trained", found[-1])):
        embedding = snapshot.load().encoder.embedding.weight.detach().numpy()
        matrices = similarity_matrices(residue_rows(embedding).astype(float))
        for name, matrix in matrices.items():
            tests[network, name] = mantel(
                matrix, reference, draws=arguments.draws, seed=arguments.seed
            )
    table = numbers(tests)
    figure = draw(matrices | {"BLOSUM62": reference})
    item = describe(table, 1 - arguments.confidence, arguments.draws)
    write_analysis(arguments, figure, table, item)


if __name__ == "__main__":
    run(main)
