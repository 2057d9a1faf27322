"""Train a network on a task with states of residues or values of proteins, and answer its rest."""

from pfamformer.command import run
from pfamformer.config import TaskRunSettings
from pfamformer.tables import read_table
from pfamformer.training.options import run_of, task_parser
from pfamformer.training.tasks import train_task


def main() -> None:
    """Parse, train, predict, write."""
    parser = task_parser(__doc__, "task")
    parser.add_argument("--task", required=True, help="task.parquet")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, TaskRunSettings)
    train_task(
        settings,
        start,
        read_table("task", arguments.task),
        arguments.task,
        arguments.state,
        arguments.output,
        arguments.threads,
    )


if __name__ == "__main__":
    run(main)
