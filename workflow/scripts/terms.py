"""Train a network that calls GO terms, and call those of held-out proteins."""

from pfamformer.command import run
from pfamformer.config import TermsSettings
from pfamformer.tasks.go import read_task
from pfamformer.training.options import run_of, task_parser
from pfamformer.training.terms import train_terms


def main() -> None:
    """Parse, train, predict, write."""
    parser = task_parser(__doc__, "terms")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--terms", required=True, help="terms.parquet")
    parser.add_argument("--annotations", required=True, help="annotations.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, TermsSettings)
    train_terms(
        settings,
        start,
        read_task(arguments.terms, arguments.annotations, arguments.proteins),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
    )


if __name__ == "__main__":
    run(main)
