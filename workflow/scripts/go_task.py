"""Gene Ontology annotations to a task: terms, propagated annotations with parts, proteins."""

import argparse
from datetime import date

from pfamformer.command import atomic_path, run
from pfamformer.tasks.annotations import read_gaf
from pfamformer.tasks.go import (
    draw_proteins,
    find_sequences,
    make_task,
    write_summary,
    write_task,
)
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.time_split import Dates, split_by_date


def main() -> None:
    """Parse, read, split, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ontology", required=True, help="OBO file")
    parser.add_argument("--annotations", required=True, help="GAF file")
    parser.add_argument("--sequences", required=True, help="FASTA file")
    parser.add_argument("--evidence", required=True, nargs="+", help="codes that count")
    parser.add_argument("--dev-from", required=True, type=date.fromisoformat)
    parser.add_argument("--test-from", required=True, type=date.fromisoformat)
    parser.add_argument("--end", type=date.fromisoformat)
    parser.add_argument("--knowledge", required=True)
    parser.add_argument("--min-train-proteins", type=int, required=True)
    parser.add_argument("--max-proteins", type=int)
    parser.add_argument("--max-reject-share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    for output in ("terms", "task-annotations", "proteins", "rejects", "summary"):
        parser.add_argument(f"--{output}", required=True, help="output")
    arguments = parser.parse_args()
    ontology = read_obo(arguments.ontology)
    found = read_gaf(
        arguments.annotations,
        ontology,
        evidence=arguments.evidence,
        max_reject_share=arguments.max_reject_share,
    )
    sequences = find_sequences(arguments.sequences, found.rows["protein"])
    if arguments.max_proteins:
        sequences = draw_proteins(sequences, arguments.max_proteins, arguments.seed)
    rows = found.rows[found.rows["protein"].isin(sequences)].reset_index(drop=True)
    dates = Dates(arguments.dev_from, arguments.test_from, arguments.end)
    rows = split_by_date(rows, dates, ontology, arguments.knowledge)
    task = make_task(ontology, rows, sequences, arguments.min_train_proteins)
    without = int(found.rows["protein"].nunique()) - len(sequences)
    write_task(task, arguments.terms, arguments.task_annotations, arguments.proteins)
    with atomic_path(arguments.rejects) as temporary:
        found.rejects.to_csv(temporary, sep="\t", index=False)
    write_summary(task, "dates", found.counts, without, arguments.summary)


if __name__ == "__main__":
    run(main)
