"""The GO task: annotations of proteins, propagated, with parts and the term set to predict."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pfamformer.command import atomic_path
from pfamformer.errors import InputError
from pfamformer.evaluation.ontology import information_accretion
from pfamformer.sequences.fasta import read_fasta
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.ontology import Ontology, Term

ONTOLOGIES = ("mfo", "bpo", "cco")


@dataclass(frozen=True)
class GoTask:
    """The three tables of the task (``docs/tables.md``): terms, annotations, proteins."""

    terms: pd.DataFrame
    annotations: pd.DataFrame
    proteins: pd.DataFrame

    @property
    def held_out(self) -> list[str]:
        """Proteins of the dev and test parts, in order: those that methods predict."""
        rows = self.annotations
        return sorted(set(rows.loc[rows["part"] != "train", "protein"]))


def find_sequences(path: str | Path, wanted: Iterable[str]) -> dict[str, str]:
    """Sequences of these accessions (without version) in a FASTA file, by accession.

    Headers may be ``ACCESSION.version …`` as in pfamseq, or ``db|ACCESSION|NAME …`` as in UniProt.

    Raises:
        InputError: it holds none of them.
    """
    missing = set(wanted)
    found: dict[str, str] = {}
    for header, sequence in read_fasta(path):
        name = header.split(None, 1)[0] if header else ""
        accession = name.split("|")[1] if name.count("|") >= 2 else name
        accession = re.sub(r"\.\d+$", "", accession)
        if accession in missing:
            missing.remove(accession)
            found[accession] = sequence.upper()
            if not missing:
                break
    if not found:
        raise InputError(
            path,
            f"holds none of {len(missing):,} annotated proteins",
            remedy="Name proteins by their UniProt accessions, or leave Gene Ontology out: "
            "tasks: {go: null}",
        )
    return found


def draw_proteins(sequences: Mapping[str, str], most: int, seed: int) -> dict[str, str]:
    """At most so many of the proteins, a draw without replacement."""
    names = sorted(sequences)
    if len(names) <= most:
        return dict(sequences)
    chosen = np.random.default_rng(seed).choice(len(names), size=most, replace=False)
    return {names[i]: sequences[names[i]] for i in sorted(chosen)}


def read_task(terms: str | Path, annotations: str | Path, proteins: str | Path) -> GoTask:
    """The task from its three files."""
    return GoTask(
        read_table("terms", terms),
        read_table("annotations", annotations),
        read_table("proteins", proteins),
    )


def write_task(
    task: GoTask, terms: str | Path, annotations: str | Path, proteins: str | Path
) -> None:
    """Write the three files of the task."""
    write_table(task.terms, "terms", terms)
    write_table(task.annotations, "annotations", annotations)
    write_table(task.proteins, "proteins", proteins)


def write_summary(
    task: GoTask, data: str, counts: Mapping[str, int], left_out: int, path: str | Path
) -> None:
    """Write ``summary.json``.

    Args:
        data: ``dates`` or ``cafa3``, as in the configuration.
        counts: rows of the annotation file by what became of them.
        left_out: annotated proteins without a sequence, or not drawn.
    """
    about = {
        "data": data,
        "annotation_file": counts,
        "proteins_left_out": left_out,
        "ontologies": summarise(task),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def make_task(
    ontology: Ontology, rows: pd.DataFrame, sequences: Mapping[str, str], min_proteins: int
) -> GoTask:
    """Propagate annotations and choose the terms to predict.

    Args:
        rows: columns ``protein``, ``term``, ``ontology``, ``negative``, ``part``.
        sequences: of every protein in ``rows``.
        min_proteins: training proteins that a term must have to be predicted. Judged are all terms.
    """
    annotations = _propagate(ontology, rows)
    positive = annotations[~annotations["negative"]]
    proteins = sorted(set(annotations["protein"]))
    return GoTask(
        _terms(ontology, positive[positive["part"] == "train"], min_proteins),
        annotations,
        pd.DataFrame({"protein": proteins, "sequence": [sequences[p] for p in proteins]}),
    )


def _propagate(ontology: Ontology, rows: pd.DataFrame) -> pd.DataFrame:
    """Every term of every protein, ancestors included; negations that contradict one left out."""
    terms: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    positive, negative = rows[~rows["negative"]], rows[rows["negative"]]
    for key, term in _keyed(positive):
        terms[key].add(term)
    out = []
    for (protein, part, name), direct in sorted(terms.items()):
        out += [
            (protein, term, name, part, term in direct, False)
            for term in sorted(ontology.propagate(direct))
        ]
    for (protein, part, name), term in sorted(_keyed(negative)):
        if term not in ontology.propagate(terms.get((protein, part, name), ())):
            out.append((protein, term, name, part, True, True))
    columns = ["protein", "term", "ontology", "part", "direct", "negative"]
    return pd.DataFrame(out, columns=columns).drop_duplicates(ignore_index=True)


def _keyed(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], str]]:
    keys = zip(rows["protein"], rows["part"], rows["ontology"], strict=True)
    yield from zip(keys, rows["term"], strict=True)


def _terms(ontology: Ontology, train: pd.DataFrame, min_proteins: int) -> pd.DataFrame:
    protein, _ = pd.factorize(train["protein"], sort=True)
    holders = {term: np.sort(protein[at]) for term, at in train.groupby("term").indices.items()}
    none = np.empty(0, dtype=np.int64)
    live = list(ontology.terms.values())
    carried = [holders.get(term.id, none) for term in live]
    count = np.array([len(found) for found in carried])
    return pd.DataFrame(
        {
            "term": [term.id for term in live],
            "ontology": [term.ontology for term in live],
            "name": [term.name for term in live],
            "parents": [",".join(term.parents) for term in live],
            "train_proteins": count,
            "information": information_accretion(carried, ontology, [term.id for term in live]),
            "predicted": (count >= min_proteins) & [bool(term.parents) for term in live],
        }
    )


def ontology_of(terms: pd.DataFrame) -> Ontology:
    """The ontology that the terms table holds."""
    columns = zip(terms["term"], terms["name"], terms["ontology"], terms["parents"], strict=True)
    live = {t: Term(t, name, o, tuple(filter(None, up.split(",")))) for t, name, o, up in columns}
    return Ontology(live, {}, frozenset())


def summarise(task: GoTask) -> dict[str, dict[str, int]]:
    """Proteins by part, negations and terms, for each ontology."""
    found = {}
    for name in ONTOLOGIES:
        rows = task.annotations[task.annotations["ontology"] == name]
        positive = rows[~rows["negative"]]
        terms = task.terms[task.terms["ontology"] == name]
        found[name] = {
            **{p: int(positive.loc[positive["part"] == p, "protein"].nunique())
               for p in ("train", "dev", "test")},
            "test_negatives": int((rows["negative"] & (rows["part"] == "test")).sum()),
            "terms": len(terms),
            "predicted_terms": int(terms["predicted"].sum()),
        }  # fmt: skip
    return found
