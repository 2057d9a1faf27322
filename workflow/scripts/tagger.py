"""Train a residue tagger and call domains on held-out proteins; continues after a kill."""

from pfamformer.command import run
from pfamformer.config import TaggerSettings
from pfamformer.tables import read_table
from pfamformer.training.options import run_of, task_parser
from pfamformer.training.tagging import train_tagger


def main() -> None:
    """Parse, train, call, write."""
    parser = task_parser(__doc__, "tagger")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--sequences", required=True, help="localisation/sequences.parquet")
    parser.add_argument("--domains", required=True, help="localisation/domains.parquet")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, TaggerSettings)
    train_tagger(
        settings,
        start,
        read_table("localisation", arguments.sequences),
        read_table("localisation_domains", arguments.domains),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
    )


if __name__ == "__main__":
    run(main)
