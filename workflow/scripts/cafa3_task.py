"""CAFA3's files to a task: terms, propagated annotations with parts, proteins."""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from pfamformer.command import run
from pfamformer.tasks.cafa import (
    BENCHMARK,
    TYPES,
    draw_dev,
    find,
    read_benchmark,
    read_training,
    unpack,
)
from pfamformer.tasks.go import draw_proteins, make_task, write_summary, write_task
from pfamformer.tasks.ontology import read_obo


def main() -> None:
    """Parse, unpack, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ontology", required=True, help="gene_ontology_edit.obo.2016-06-01.gz")
    parser.add_argument("--training", required=True, help="CAFA3_training_data.tgz")
    parser.add_argument("--targets", required=True, help="CAFA3_targets.tgz")
    parser.add_argument("--truth", required=True, help="supplementary_data.tar.gz")
    parser.add_argument("--knowledge", required=True, choices=TYPES)
    parser.add_argument("--dev-share", type=float, required=True, help="of training proteins")
    parser.add_argument("--min-train-proteins", type=int, required=True)
    parser.add_argument("--max-proteins", type=int, help="training proteins drawn at most")
    parser.add_argument("--seed", type=int, required=True)
    for output in ("terms", "task-annotations", "proteins", "summary"):
        parser.add_argument(f"--{output}", required=True, help="output")
    arguments = parser.parse_args()
    ontology, counts = read_obo(arguments.ontology), Counter()
    truth = f"{BENCHMARK}/groundtruth/leafonly_MFO*.txt"
    with tempfile.TemporaryDirectory(dir=Path(arguments.summary).parent) as folder:
        unpack([arguments.training, arguments.targets, arguments.truth], folder)
        training = find(folder, "uniprot_sprot_exp.txt").parent
        rows, sequences = read_training(training, ontology, counts)
        benchmark = find(folder, truth).parents[1]
        test, tested = read_benchmark(benchmark, folder, ontology, arguments.knowledge)
    known = len(sequences)
    if arguments.max_proteins:
        sequences = draw_proteins(sequences, arguments.max_proteins, arguments.seed)
    rows = rows[rows["protein"].isin(sequences)].reset_index(drop=True)
    rows = draw_dev(rows, arguments.dev_share, arguments.seed)
    rows = pd.concat([rows, test], ignore_index=True)
    task = make_task(ontology, rows, sequences | tested, arguments.min_train_proteins)
    write_task(task, arguments.terms, arguments.task_annotations, arguments.proteins)
    write_summary(task, "cafa3", counts, known - len(sequences), arguments.summary)


if __name__ == "__main__":
    run(main)
