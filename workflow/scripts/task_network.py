"""Train a network on states of residues, contacts or values of proteins, and answer the rest."""

from pfamformer.command import run
from pfamformer.config import TaskRunSettings
from pfamformer.tables import read_table
from pfamformer.training.options import run_of, task_parser
from pfamformer.training.tasks import train_task


def main() -> None:
    """Parse, train, predict, write."""
    parser = task_parser(__doc__, "task")
    parser.add_argument("--task", required=True, help="task.parquet")
    parser.add_argument("--contacts", required=True, help="contacts.parquet of the task")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, TaskRunSettings)
    train_task(
        settings,
        start,
        read_table("task", arguments.task),
        read_table("contacts", arguments.contacts),
        arguments.task,
        arguments.state,
        arguments.output,
        arguments.threads,
    )


if __name__ == "__main__":
    run(main)
