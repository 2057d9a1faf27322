"""What each snapshot of a run predicts at the residues of held-out windows."""

import argparse
import json
from pathlib import Path

from pfamformer.analysis.networks import add_snapshot_options, snapshots
from pfamformer.analysis.posteriors import frequencies, posteriors
from pfamformer.analysis.windows import draw_windows
from pfamformer.command import atomic_path, run
from pfamformer.sequences.alphabet import STANDARD
from pfamformer.sequences.shards import TokenShards
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_snapshot_options(parser)
    parser.add_argument("--train", required=True, type=Path, help="training part of its corpus")
    parser.add_argument("--domains", required=True)
    parser.add_argument("--split", required=True, help="split.parquet, clustered")
    parser.add_argument("--proteins", required=True)
    parser.add_argument("--sequences", required=True, type=int, help="windows at most")
    parser.add_argument("--max-length", required=True, type=int, help="residues of a window")
    parser.add_argument("--mask-share", required=True, type=float)
    parser.add_argument("--budget", required=True, type=int, help="tokens of a batch")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--posteriors", required=True, help="output: Parquet")
    parser.add_argument("--course", required=True, help="output: TSV")
    parser.add_argument("--frequencies", required=True, help="output: JSON")
    arguments = parser.parse_args()
    tables = [read_table(n, getattr(arguments, n)) for n in ("domains", "split", "proteins")]
    frequency = frequencies(TokenShards(arguments.train).residue_counts())
    table, course = posteriors(
        snapshots(arguments.steps, arguments.weights),
        draw_windows(
            *tables, most=arguments.sequences, max_length=arguments.max_length, seed=arguments.seed
        ),
        frequency,
        share=arguments.mask_share,
        budget=arguments.budget,
        device=prepare_device(arguments.threads),
        seed=arguments.seed,
    )
    with atomic_path(arguments.posteriors) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    with atomic_path(arguments.course) as temporary:
        course.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    with atomic_path(arguments.frequencies) as temporary:
        content = dict(zip(STANDARD, frequency.tolist(), strict=True))
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
