"""Secondary structure in three states on FLIP's proteins: a network beside simple baselines.

python benchmarks/secondary_structure.py [--quick] [--runs states_cnn …]

Runs networks of config/secondary_structure.yaml on the folder secondary_structure below
PFAMFORMER_TEST_DATA, and beside them the commonest state and a linear model of the residues in a
window around each (scikit-learn, stochastic gradients of the logistic loss), as neural networks of
the eighties read proteins. --quick only plans.
"""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import SGDClassifier

from common import ROOT, make_files, parser, write
from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.tasks import COLUMNS, evaluate
from pfamformer.sequences.alphabet import PAD, TOKENS, encode
from pfamformer.tables import read_table

RESULTS = ROOT / "results/secondary_structure"
TASK = RESULTS / "tasks/secondary_structure/task.parquet"
# Residues on each side: 17 in all, as Qian and Sejnowski (1988) and most since.
REACH = 8
# What a quarter of an hour on one core allows.
TRAINING = {"epochs": 3}
# Training residues that the linear model learns from: more change nothing in its third digit.
DRAWN = 400_000


def main() -> None:
    """Run the networks, fit the window, print and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--runs", nargs="+", default=["states_cnn"])
    arguments = arguments.parse_args()
    answers = {run: RESULTS / f"tasks/runs/{run}/answers.parquet" for run in arguments.runs}
    run_workflow([TASK, *answers.values()], arguments.quick)
    if arguments.quick:
        return
    task = read_table("task", TASK)
    rows = []
    for run, path in answers.items():
        seconds = pd.read_csv(RESULTS / f"benchmarks/task_network/{run}.tsv", sep="\t")["s"].iloc[0]
        rows += judged(run, task, pd.read_parquet(path), float(seconds))
    started = time.perf_counter()
    window = by_window(task)
    rows += judged("linear, window of 17", task, window, time.perf_counter() - started)
    counts = task["part"].value_counts().to_dict()
    write(
        "secondary_structure",
        [{"proteins": counts, "training": TRAINING}, *rows],
        ("torch", "scikit-learn"),
    )


def judged(run, task, answers, seconds):
    """Rows of the table for one method, printed too."""
    rows = []
    for found in evaluate(task, answers, EvaluationSettings(), 1):
        row = dict(zip(COLUMNS, ["secondary_structure", run, *found], strict=True))
        row["seconds"] = round(seconds)
        print(f"{row['part']} {run}: {row['value']:.1f} % of residues ({row['value_low']:.1f} to "
              f"{row['value_high']:.1f}), commonest state {row['baseline']:.1f}, "
              f"ratio={row['value'] / row['baseline']:.2f}", flush=True)  # fmt: skip
        rows.append(row)
    return rows


def windows(sequence):
    """One-hot residues around each residue, (length, window × tokens)."""
    padded = np.pad(encode(sequence), REACH, constant_values=PAD)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1)
    return np.eye(len(TOKENS), dtype=np.float32)[around].reshape(len(sequence), -1)


def by_window(task):
    """Answers of the linear model on the held-out proteins."""
    train = task[task["part"] == "train"].sample(frac=1, random_state=1)
    model, seen = SGDClassifier(loss="log_loss", alpha=1e-6, average=True, random_state=1), 0
    for sequence, label in zip(train["sequence"], train["label"], strict=True):
        known = np.array(list(label)) != "-"
        if known.any():
            states = np.array(list(label))[known]
            model.partial_fit(windows(sequence)[known], states, classes=["C", "E", "H"])
            seen += len(states)
        if seen >= DRAWN:
            break
    held_out = task[task["part"] != "train"]
    said = ["".join(model.predict(windows(s))) for s in held_out["sequence"]]
    return held_out[["id"]].assign(label=said, value=np.nan)


def run_workflow(files, only_plan):
    """Make these files, or plan to."""
    folder = Path(os.environ["PFAMFORMER_TEST_DATA"]) / "secondary_structure"
    task = {"format": "flip", "path": str(folder)}
    settings = {"tasks": {"files": {"secondary_structure": task}}, "defaults": {"task": TRAINING}}
    make_files(files, ["config/secondary_structure.yaml"], settings, only_plan=only_plan)


if __name__ == "__main__":
    main()
