"""Fmax and Smin: ours against cafaeval on the same files, and 50,000 proteins × 5,000 terms alone.

python benchmarks/go_metrics.py --task results/demo/tasks/go
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from cafaeval.evaluation import cafa_eval

from common import compare, in_turn, parser, write
from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.ontology import best, curves, judge
from pfamformer.evaluation.terms import evaluate, questions, read_calls, scores_of
from pfamformer.tables import SCHEMAS, read_table


def main() -> None:
    """Time both on molecular function; then ours on the large case, with its peak memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--task", required=True, help="folder of a GO task")
    arguments = arguments.parse_args()
    terms = read_table("terms", Path(arguments.task) / "terms.parquet")
    # First, as the peak of a process never falls again; cafaeval's matrices are larger.
    proteins, wanted = (2_000, 500) if arguments.quick else (50_000, 5_000)
    rows = [large(terms, proteins, wanted)]
    rows.append(beside_cafaeval(terms, 200 if arguments.quick else 500, arguments.repeats))
    if not arguments.quick:
        write("go_metrics", rows, ("cafaeval", "numpy", "pyarrow"))


def draw(terms, ontology, proteins, wanted, calls_each, seed):
    """Random truth, and a table of random calls of ``wanted`` terms with at least one parent."""
    stream = np.random.default_rng(seed)
    chosen = terms[(terms["ontology"] == ontology) & (terms["parents"] != "")]
    chosen = chosen["term"].to_numpy()[: 4 * wanted][
        stream.permutation(min(4 * wanted, len(chosen)))
    ]
    chosen = chosen[:wanted]
    names = np.array([f"P{i:06d}" for i in range(proteins)])
    truth = pd.DataFrame(
        {
            "protein": np.repeat(names, 3), "term": stream.choice(chosen, 3 * proteins),
            "ontology": ontology, "part": "test", "direct": True, "negative": False,
        }
    ).drop_duplicates(ignore_index=True)  # fmt: skip
    size = proteins * calls_each
    text = lambda codes, values: pa.DictionaryArray.from_arrays(  # noqa: E731
        pa.array(codes.astype(np.int32)), pa.array(values)
    )
    same = np.zeros(size)
    table = pa.table(
        {
            "protein": text(np.repeat(np.arange(proteins), calls_each), names),
            "start": pa.nulls(size, pa.int32()), "end": pa.nulls(size, pa.int32()),
            "label": text(stream.integers(len(chosen), size=size), chosen),
            "score": np.round(0.01 + 0.99 * stream.random(size) ** 3, 3),
            "method": text(same, ["random"]), "run": text(same, ["random"]),
        }
    ).cast(SCHEMAS["calls"])  # fmt: skip
    return truth, table


def large(terms, proteins, wanted):
    """Time and peak memory of reading calls and judging them, intervals included."""
    truth, table = draw(terms, "bpo", proteins, wanted, 400, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.parquet"
        pq.write_table(table, path)
        calls = table.num_rows
        del table
        started, used = time.perf_counter(), time.process_time()
        (question,) = questions(terms, truth)
        result = evaluate(read_calls(path), question, EvaluationSettings(bootstrap=100), seed=1)
        seconds, used = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{proteins} proteins x {wanted} terms, {calls} calls: {seconds:.0f} s "
        f"({used:.0f} s of processor), {peak:.2f} GiB"
    )
    return {
        "proteins": proteins, "terms": wanted, "calls": calls, "seconds": seconds,
        "processor_seconds": used,
        "peak_gib_of_the_whole_process": peak, "bootstrap_draws": 100, "threads": 1,
        "fmax": result.row["fmax"],
    }  # fmt: skip


def beside_cafaeval(terms, proteins, repeats):
    """Both from their own file formats to the best values, molecular function."""
    truth, table = draw(terms, "mfo", proteins, 1_000, 100, seed=2)
    mfo = terms[terms["ontology"] == "mfo"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "calls.parquet")
        frame = table.select(["protein", "label", "score"]).to_pandas()
        (folder / "said").mkdir()
        frame.to_csv(folder / "said/p.tsv", sep="\t", header=False, index=False)
        truth[["protein", "term"]].to_csv(folder / "truth.tsv", sep="\t", header=False, index=False)
        mfo[["term", "information"]].to_csv(folder / "ia.tsv", sep="\t", header=False, index=False)
        (folder / "o.obo").write_text("".join(map(stanza, mfo.itertuples())))
        found = {}

        def ours():
            (question,) = questions(mfo, truth)
            calls = read_calls(folder / "calls.parquet")
            judged = judge(
                scores_of(calls, question), question.truth, len(question.proteins), question.graph
            )
            found["ours"] = best(curves(judged))

        def theirs():
            found["theirs"] = cafa_eval(
                str(folder / "o.obo"), str(folder / "said"), str(folder / "truth.tsv"),
                ia=str(folder / "ia.tsv"), no_orphans=True, n_cpu=1,
            )  # fmt: skip

        seconds = in_turn(repeats, pfamformer=ours, cafaeval=theirs)
        table, top = found["theirs"]
        apart = {
            "fmax": abs(found["ours"].fmax - top["f"]["f"].item()),
            "weighted_fmax": abs(found["ours"].weighted_fmax - top["f_w"]["f_w"].item()),
            "smin": abs(found["ours"].smin - table["s_w"].min()),
        }
    print("differences from cafaeval:", {k: f"{float(v):.1e}" for k, v in apart.items()})
    return compare(
        "Fmax and Smin from files", seconds, proteins=proteins, terms=len(mfo), calls=len(frame),
        largest_difference=float(max(apart.values())),
    )  # fmt: skip


def stanza(term):
    """A term as OBO."""
    parents = "".join(f"is_a: {parent}\n" for parent in filter(None, term.parents.split(",")))
    head = f"[Term]\nid: {term.term}\nname: {term.name}\nnamespace: molecular_function\ndef: x\n"
    return f"{head}{parents}\n"


if __name__ == "__main__":
    main()
