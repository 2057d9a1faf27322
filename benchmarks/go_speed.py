"""50,000 proteins × 5,000 GO terms: predicted by a network, written, read again and judged.

python benchmarks/go_speed.py --task results/demo/tasks/go [--encoder resnet]

The terms are the most frequent ones of biological process with their ontology, the network has
their training frequencies as its prior and random weights beside them: what it says is wrong, and
as much as a trained network says. Proteins are random, 350 residues on average, and have three
random terms with all ancestors each. Everything runs in one process, whose peak memory is taken.
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from common import parser, write
from pfamformer.config import EvaluationSettings, TermsSettings
from pfamformer.evaluation.terms import evaluate, questions, read_calls
from pfamformer.methods.term_network import predict
from pfamformer.model.terms import TermClassifier, sparse
from pfamformer.sequences.alphabet import STANDARD
from pfamformer.tables import TableWriter, read_table
from pfamformer.tasks.term_targets import conditions_of
from pfamformer.training.device import prepare_device

ENCODERS = {
    "kmers": {"kind": "kmers"},
    "resnet": {"kind": "resnet", "filters": 64, "blocks": 4},
}
#: What is asked for: minutes and GiB.
GOAL = {"seconds": 600, "gib": 4}


def main() -> None:
    """Draw, predict, judge, print."""
    arguments = parser(__doc__)
    arguments.add_argument("--task", required=True, help="folder of a GO task")
    arguments.add_argument("--encoder", choices=ENCODERS, default="kmers")
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()
    proteins, wanted = (500, 300) if arguments.quick else (50_000, 5_000)
    terms = chosen(read_table("terms", Path(arguments.task) / "terms.parquet"), wanted)
    table, truth = draw(terms, proteins)
    row = {"proteins": proteins, "terms": int(terms["predicted"].sum()),
           "encoder": ENCODERS[arguments.encoder], "threads": arguments.threads,
           "residues": int(table["sequence"].str.len().sum()), "bootstrap_draws": 100}  # fmt: skip
    settings = TermsSettings(
        kind="terms", encoder=ENCODERS[arguments.encoder], head="pool_mean", head_dropout=0,
        epochs=1, tokens_per_batch=16_384, max_length=1024, learning_rate=1e-3,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.parquet"
        started = time.perf_counter()
        row["calls"] = call(settings, terms, table, path, arguments.threads)
        row["predict_seconds"] = time.perf_counter() - started
        row["megabytes_on_disk"] = path.stat().st_size / 1e6
        started = time.perf_counter()
        (question,) = questions(terms, truth)
        found = evaluate(read_calls(path), question, EvaluationSettings(bootstrap=100), seed=1)
        row["evaluate_seconds"] = time.perf_counter() - started
    row["fmax"] = found.row["fmax"]
    row["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    total = row["predict_seconds"] + row["evaluate_seconds"]
    row["goal"] = GOAL
    row["ratio"] = {"seconds": GOAL["seconds"] / total, "gib": GOAL["gib"] / row["peak_gib"]}
    print(
        f"{proteins} proteins x {row['terms']} terms, {row['calls']} calls: predicted in "
        f"{row['predict_seconds']:.0f} s, judged in {row['evaluate_seconds']:.0f} s, "
        f"{row['peak_gib']:.2f} GiB; goal {GOAL['seconds']} s: ratio={row['ratio']['seconds']:.2f}"
    )
    if not arguments.quick:
        write("go_speed", [row], ("numpy", "pandas", "pyarrow", "torch"))


def chosen(terms, wanted):
    """Biological process with so many terms to predict, the most frequent ones."""
    terms = terms[terms["ontology"] == "bpo"].reset_index(drop=True)
    below = terms[terms["parents"] != ""]
    # A stable order: parents have at least the proteins of their children.
    frequent = below["train_proteins"].sort_values(ascending=False, kind="stable").index[:wanted]
    return terms.assign(predicted=terms.index.isin(frequent))


def draw(terms, proteins):
    """Random sequences, and three random terms for each with all ancestors."""
    stream = np.random.default_rng(1)
    names = np.array([f"P{i:06d}" for i in range(proteins)])
    lengths = np.clip(stream.gamma(2.0, 175.0, proteins).astype(int), 30, 2000)
    letters = np.frombuffer(STANDARD.encode(), np.uint8)[stream.integers(20, size=lengths.sum())]
    text = letters.tobytes().decode()
    ends = np.cumsum(lengths)
    sequences = [text[end - size : end] for end, size in zip(ends, lengths, strict=True)]
    pool = terms.loc[terms["predicted"], "term"].to_numpy()
    truth = pd.DataFrame(
        {
            "protein": np.repeat(names, 3), "term": stream.choice(pool, 3 * proteins),
            "ontology": "bpo", "part": "test", "direct": True, "negative": False,
        }
    ).drop_duplicates(ignore_index=True)  # fmt: skip
    return pd.DataFrame({"protein": names, "sequence": sequences}), truth


def call(settings, terms, table, path, threads):
    """Write the calls of a network on these proteins; returns how many there are."""
    conditions = conditions_of(terms, settings.ontology)
    counts = terms.set_index("term")["train_proteins"]
    most = counts.max() + 2
    share = (counts.reindex(list(conditions.terms)).to_numpy() + 1) / most
    parents = [conditions.pairs[conditions.pairs[:, 0] == t, 1] for t in range(len(share))]
    # Of a term given its parents: at most what the rarest parent leaves.
    limits = np.array([min([1.0, *(share[p] for p in mine if p < len(share))]) for mine in parents])
    given = np.clip(share / limits, 1e-4, 0.999)
    device = prepare_device(threads)
    torch.manual_seed(1)
    model = TermClassifier(None, torch.from_numpy(np.log(given / (1 - given))), settings)
    closure = sparse(conditions.closure).to(device)
    calls = 0
    with TableWriter("calls", path) as writer:
        pieces = predict(model.to(device), settings, closure, conditions.terms, table, "network")
        for piece in pieces:
            writer.write(pa.Table.from_pandas(piece, preserve_index=False))
            calls += len(piece)
    return calls


if __name__ == "__main__":
    main()
