"""Methods that call GO terms, judged on the test part of a task: numbers, curves, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pfamformer.config import EvaluationSettings
from pfamformer.errors import InputError
from pfamformer.evaluation.ontology import (
    THRESHOLDS,
    Curves,
    Graph,
    Judged,
    Scores,
    best,
    bins_of,
    bootstrap,
    curves,
    judge,
    make_graph,
)
from pfamformer.methods.calls import LOWEST_SCORE
from pfamformer.tables import SCHEMAS
from pfamformer.tasks.go import ONTOLOGIES, ontology_of

#: Identity to the most similar training protein: lower bounds, and what the report calls them.
IDENTITY_CLASSES = ((-1.0, "no hit"), (0.0, "< 30 %"), (0.3, "30–60 %"), (0.6, "≥ 60 %"))
COLUMNS = [
    "ontology", "method", "run", "proteins", "coverage",
    "fmax", "fmax_low", "fmax_high", "threshold", "weighted_fmax",
    "smin", "smin_low", "smin_high", "negatives", "negatives_called",
]  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What one part (test or dev) of one ontology asks, by position."""

    name: str
    graph: Graph
    proteins: pd.Index
    truth: tuple[np.ndarray, np.ndarray]
    negatives: tuple[np.ndarray, np.ndarray]


def questions(terms: pd.DataFrame, annotations: pd.DataFrame, part: str = "test") -> list[Question]:
    """The three ontologies' proteins of a part with their terms, and what they do not have."""
    ontology = ontology_of(terms)
    information = dict(zip(terms["term"], terms["information"], strict=True))
    found = []
    for name in ONTOLOGIES:
        rows = annotations[(annotations["ontology"] == name) & (annotations["part"] == part)]
        graph = make_graph(ontology, name, information)
        proteins = pd.Index(sorted(set(rows.loc[~rows["negative"], "protein"])))
        rows = rows[rows["protein"].isin(proteins)]
        protein = proteins.get_indexer(rows["protein"])
        term = pd.Index(graph.terms).get_indexer(rows["term"])
        negative = rows["negative"].to_numpy()
        found.append(
            Question(
                name,
                graph,
                proteins,
                (protein[~negative], term[~negative]),
                (protein[negative], term[negative]),
            )
        )
    return [question for question in found if len(question.proteins)]


@dataclass(frozen=True)
class Calls:
    """A file of calls: whose they are, and its columns as dictionary codes."""

    method: str
    run: str
    table: pa.Table


def read_calls(path: str | Path) -> Calls:
    """Read the calls that any threshold can count.

    Raises:
        InputError: another table, several methods in one file, or a score outside 0…1.
    """
    try:
        found = pq.read_schema(path).names
        if found != SCHEMAS["calls"].names:
            raise InputError(path, f"columns {found} are not those of table 'calls'")
        texts = ["protein", "label", "method", "run"]
        table = pq.read_table(path, columns=[*texts, "score"], read_dictionary=texts)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(path, f"not readable as Parquet ({error})", remedy="Delete it") from error
    names = [pc.unique(table[column]).to_pylist() for column in ("method", "run")]
    if any(len(values) != 1 for values in names):
        raise InputError(path, f"calls of methods {names[0]}, runs {names[1]}: one was expected")
    limits = pc.min_max(table["score"]).as_py()
    if limits["min"] < 0 or limits["max"] > 1:
        raise InputError(path, f"scores from {limits['min']} to {limits['max']}: 0 to 1 expected")
    kept = table.filter(pc.greater_equal(table["score"], LOWEST_SCORE))
    return Calls(names[0][0], names[1][0], kept.select(["protein", "label", "score"]))


def scores_of(calls: Calls, question: Question) -> Scores:
    """The calls on the proteins and terms of this question, by position."""
    protein = positions(calls.table["protein"], question.proteins)
    term = positions(calls.table["label"], pd.Index(question.graph.terms))
    kept = (protein >= 0) & (term >= 0)
    bins = bins_of(calls.table["score"].to_numpy()[kept])
    return Scores(protein[kept], term[kept], bins)


def positions(column: pa.ChunkedArray, index: pd.Index) -> np.ndarray:
    """Where each value of a dictionary column is in ``index``; −1 where it is not."""
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return np.empty(0, dtype=np.int32)
    known = index.get_indexer(column.chunk(0).dictionary.to_pandas()).astype(np.int32)
    return np.concatenate([known[chunk.indices.to_numpy()] for chunk in column.chunks])


@dataclass(frozen=True)
class Result:
    """One method on one ontology."""

    row: dict[str, object]
    curves: Curves
    judged: Judged


def evaluate(calls: Calls, question: Question, settings: EvaluationSettings, seed: int) -> Result:
    """Fmax and Smin with intervals by bootstrap over proteins; calls on known negatives.

    ``negatives_called`` counts known negatives among the calls at the threshold of Fmax.
    """
    count = len(question.proteins)
    judged = judge(
        scores_of(calls, question), question.truth, count, question.graph, question.negatives
    )
    found = curves(judged)
    top = best(found)
    drawn = bootstrap(judged, draws=settings.bootstrap, seed=seed)
    tail = (1 - settings.confidence) / 2
    limits = lambda values: np.nanquantile(values, [tail, 1 - tail]).tolist()  # noqa: E731
    reached = np.searchsorted(THRESHOLDS, top.fmax_threshold, side="right")
    values = [
        question.name, calls.method, calls.run, count, float(top.coverage),
        float(top.fmax), *limits(drawn.fmax), float(top.fmax_threshold), float(top.weighted_fmax),
        float(top.smin), *limits(drawn.smin), len(judged.negative_bins),
        int((judged.negative_bins >= reached).sum()),
    ]  # fmt: skip
    return Result(dict(zip(COLUMNS, values, strict=True)), found, judged)


def by_identity(
    result: Result, question: Question, identity: Mapping[str, float]
) -> list[dict[str, object]]:
    """Fmax and Smin by identity of a test protein to its most similar training protein."""
    values = np.array([identity.get(protein, -1.0) for protein in question.proteins])
    values = np.nan_to_num(values, nan=-1.0)
    bounds = [low for low, _ in IDENTITY_CLASSES]
    group = np.searchsorted(bounds, values, side="right") - 1
    rows = []
    for number, (_, label) in enumerate(IDENTITY_CLASSES):
        inside = np.flatnonzero(group == number)
        if len(inside):
            top = best(curves(result.judged.take(inside)))
            rows.append(
                {
                    "ontology": question.name,
                    "method": result.row["method"],
                    "run": result.row["run"],
                    "identity": label,
                    "proteins": len(inside),
                    "fmax": float(top.fmax),
                    "weighted_fmax": float(top.weighted_fmax),
                    "smin": float(top.smin),
                }
            )
    return rows


def curve_table(result: Result) -> pd.DataFrame:
    """One row per threshold at which something is predicted."""
    found = result.curves
    table = pd.DataFrame(
        {
            "ontology": result.row["ontology"],
            "method": result.row["method"],
            "run": result.row["run"],
            "threshold": THRESHOLDS.round(2),
            "coverage": found.coverage,
            "precision": found.precision,
            "recall": found.recall,
            "f": found.f,
            "weighted_f": found.f_w,
            "remaining": found.remaining,
            "wrong": found.wrong,
            "s": found.s,
        }
    )
    return table[table["coverage"] > 0]
