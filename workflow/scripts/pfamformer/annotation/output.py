"""Annotations as files for other programs: TSV and GFF3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from pfamformer.annotation.join import Protein, plain, probability

COLUMNS = [
    "protein", "length", "start", "end", "family", "name", "description", "method", "run", "score",
    "probability", "evalue", "model_start", "model_end", "model_length", "agreement",
]  # fmt: skip
#: Characters that column 1 of GFF3 may hold unescaped (specification 1.26, "Column 1").
_SEQID = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
#: Characters with a meaning in column 9, and control characters.
_VALUE = re.compile(r"[\x00-\x1f\x7f%;=&,]")


TERM_COLUMNS = ["protein", "term", "ontology", "name", "probability", "method"]


@dataclass(frozen=True)
class Family:
    """How a family is called, and the GO terms that come with it."""

    name: str
    description: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """How a GO term is called; ``information`` (bits) is high where few proteins have it."""

    ontology: str
    name: str
    information: float


@dataclass
class Tsv:
    """Writes ``domains.tsv``: one line per call."""

    out: IO[str]
    families: Mapping[str, Family]

    def __post_init__(self) -> None:
        self.out.write("\t".join(COLUMNS) + "\n")

    def write(self, protein: Protein) -> None:
        """Write the calls of one protein."""
        for call, word in zip(protein.calls, protein.agreement, strict=True):
            family = self.families.get(call["label"], Family("", ""))
            values = [
                protein.name, protein.length, call["start"], call["end"], call["label"],
                family.name, family.description, call["method"], call["run"],
                f"{call['score']:.6g}", _decimal(probability(call)), _shown(call.get("evalue")),
                call.get("model_start"),
                call.get("model_end"), call.get("model_length"), word,
            ]  # fmt: skip
            self.out.write("\t".join("" if v is None else str(v) for v in values) + "\n")


@dataclass
class Gff3:
    """Writes ``domains.gff3``: GFF3 version 1.26 with Sequence Ontology type ``protein_match``.

    The score column holds the E-value of profile HMMs, as the specification asks of similarity,
    and otherwise the score of the method.
    """

    out: IO[str]
    families: Mapping[str, Family]
    count: int = 0

    def __post_init__(self) -> None:
        self.out.write("##gff-version 3\n")

    def write(self, protein: Protein) -> None:
        """Write the calls of one protein."""
        if not protein.calls:
            return
        name = _SEQID.sub(_percent, protein.name)
        self.out.write(f"##sequence-region {name} 1 {protein.length}\n")
        for call, word in zip(protein.calls, protein.agreement, strict=True):
            self.count += 1
            family = self.families.get(call["label"], Family("", ""))
            evalue = call.get("evalue")
            attributes = {
                "ID": f"domain{self.count}",
                "Name": family.name or call["label"],
                "Dbxref": f"Pfam:{plain(call['label'])}",
                "Note": family.description,
                "Ontology_term": ",".join(family.terms) if evalue is not None else "",
                "method": call["method"],
                "score": f"{call['score']:.6g}",
                "agreement": word,
            }
            ninth = ";".join(
                f"{key}={_escaped(key, value)}" for key, value in attributes.items() if value
            )
            sixth = _shown(evalue) if evalue is not None else f"{call['score']:.6g}"
            columns = [name, "pfamformer", "protein_match", call["start"], call["end"], sixth,
                       ".", ".", ninth]  # fmt: skip
            self.out.write("\t".join(map(str, columns)) + "\n")


@dataclass
class TermTsv:
    """Writes ``terms.tsv``: one line per protein, term and method, the likeliest first.

    Args:
        least: lowest probability that is written.
    """

    out: IO[str]
    terms: Mapping[str, Term]
    least: float

    def __post_init__(self) -> None:
        self.out.write("\t".join(TERM_COLUMNS) + "\n")

    def write(self, protein: Protein) -> None:
        """Write the terms of one protein."""
        for call in protein.terms:
            if call["score"] >= self.least:
                term = self.terms[call["label"]]
                values = [protein.name, call["label"], term.ontology, term.name,
                          f"{call['score']:.3f}", call["method"]]  # fmt: skip
                self.out.write("\t".join(values) + "\n")


def _escaped(key: str, value: str) -> str:
    # Of these attributes one may hold several values, between commas.
    parts = value.split(",") if key == "Ontology_term" else [value]
    return ",".join(_VALUE.sub(_percent, part) for part in parts)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _shown(value: Any) -> str | None:
    return None if value is None else f"{value:.2g}"
