"""Table 2: where domains are, read off networks that were trained to name them."""

import argparse
from pathlib import Path

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.report.items import write_item
from pfamformer.report.table_2 import choose, describe, make_table
from pfamformer.tables import read_table
from pfamformer.training.device import prepare_device


def main() -> None:
    """Parse, read, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="*", help="names of fine-tuning runs")
    parser.add_argument("--weights", required=True, nargs="*", type=Path, help="their weights")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet of the clustered split")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", required=True, help="output: table_2.tsv")
    parser.add_argument("--item", required=True, help="output: table_2.json")
    arguments = parser.parse_args()
    prepare_device(arguments.threads)
    fitting, judged = choose(
        read_table("domains", arguments.domains),
        read_table("split", arguments.split),
        read_table("proteins", arguments.proteins),
        arguments.seed,
    )
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    runs = dict(zip(arguments.runs, arguments.weights, strict=True))
    table = make_table(runs, fitting, judged, settings, arguments.seed)
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    write_item(describe(table), arguments.item)


if __name__ == "__main__":
    run(main)
