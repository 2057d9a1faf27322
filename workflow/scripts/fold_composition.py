"""Predict the fold of held-out domains by a kernel machine on their composition."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, run
from pfamformer.methods import FOLD_METHODS
from pfamformer.methods.composition import fit, vectors
from pfamformer.methods.outputs import SCORED, long_scores, parts_of, write_outputs
from pfamformer.tables import read_table


def main() -> None:
    """Parse, learn, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--run", required=True, help="a key of FOLD_METHODS")
    parser.add_argument("--candidates", type=int, required=True, help="folds kept per domain")
    parser.add_argument("--output", required=True, type=Path, help="folder")
    arguments = parser.parse_args()
    parts = parts_of(read_table("domains", arguments.domains), read_table("split", arguments.split))
    found = {part: vectors(rows["sequence"].tolist()) for part, rows in parts.items()}
    machine = fit(
        found["train"], parts["train"]["family"].tolist(),
        found["dev"], parts["dev"]["family"].tolist(),
    )  # fmt: skip
    scores = {
        part: long_scores(
            parts[part], machine.log_probabilities(found[part]), machine.classes,
            arguments.candidates,
        )
        for part in SCORED
    }  # fmt: skip
    write_outputs(
        scores, parts, arguments.output, method=FOLD_METHODS[arguments.run], run=arguments.run,
        limit=arguments.candidates, logarithmic=True,
    )  # fmt: skip
    about = {name: getattr(machine, name) for name in ("width", "ridge", "sharpness")}
    with atomic_path(arguments.output / "machine.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
