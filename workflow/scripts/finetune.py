"""Fine-tune one network to families and predict the test part; continues after a kill."""

from pathlib import Path

from pfamformer.command import run
from pfamformer.config import FinetuneSettings
from pfamformer.tables import read_table
from pfamformer.training.finetuning import finetune
from pfamformer.training.options import run_of, task_parser


def main() -> None:
    """Parse, train, predict, write."""
    parser = task_parser(__doc__, "finetune")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--profiles", type=Path, help="profiles.hmm of the training domains")
    parser.add_argument(
        "--teachers", nargs="*", default=[], type=Path, help="weights to learn from"
    )
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, FinetuneSettings)
    finetune(
        settings,
        start,
        read_table("domains", arguments.domains),
        read_table("split", arguments.split),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
        arguments.candidates,
        arguments.profiles,
        arguments.teachers,
    )


if __name__ == "__main__":
    run(main)
