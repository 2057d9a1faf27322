"""Compare fine-tuning runs with a base run: table, figure, report item."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, run
from pfamformer.config import AblationSettings, EvaluationSettings
from pfamformer.evaluation.ablation import make_table
from pfamformer.report.ablation import describe, draw
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item


def main() -> None:
    """Parse, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the ablation")
    parser.add_argument("--settings", required=True, type=json.loads, help="its section, as JSON")
    parser.add_argument("--replicates", required=True, type=json.loads, help="run → runs, as JSON")
    parser.add_argument("--combined", nargs="*", default=[], help="names that are combinations")
    parser.add_argument("--results", required=True, type=Path, help="folder of all projects")
    parser.add_argument("--project", required=True)
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, type=Path, help="NAME.tsv, beside it svg, json")
    arguments = parser.parse_args()
    ablation = AblationSettings(**arguments.settings)
    settings = EvaluationSettings(bootstrap=arguments.bootstrap, confidence=arguments.confidence)
    table = make_table(
        arguments.results,
        arguments.project,
        ablation,
        arguments.replicates,
        settings,
        arguments.seed,
        arguments.combined,
    )
    with atomic_path(arguments.output) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    save_svg(draw(table), arguments.output.with_suffix(".svg"))
    item = describe(arguments.name, ablation.question, table, settings.confidence)
    write_item(item, arguments.output.with_suffix(".json"))


if __name__ == "__main__":
    run(main)
