"""Spread and asymmetry of attention of every snapshot of a run, on held-out windows."""

import argparse

from pfamformer.analysis.attention import attention_statistics
from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.windows import draw_windows, sequences_of
from pfamformer.command import atomic_path, run
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--domains", required=True)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--proteins", required=True)
    parser.add_argument("--sequences", required=True, type=int, help="windows at most")
    parser.add_argument("--max-length", required=True, type=int, help="residues of a window")
    parser.add_argument("--budget", required=True, type=int, help="tokens of a batch")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="output: Parquet")
    arguments = parser.parse_args()
    tables = [read_table(n, getattr(arguments, n)) for n in ("domains", "split", "proteins")]
    windows = draw_windows(
        *tables, most=arguments.sequences, max_length=arguments.max_length, seed=arguments.seed
    )
    found = attention_statistics(
        snapshots(arguments.steps, arguments.weights),
        sequences_of(windows),
        budget=arguments.budget,
        max_length=arguments.max_length,
        device=prepare_device(arguments.threads),
    )
    with atomic_path(arguments.output) as temporary:
        found.to_parquet(temporary, index=False, compression="zstd")


if __name__ == "__main__":
    run(main)
