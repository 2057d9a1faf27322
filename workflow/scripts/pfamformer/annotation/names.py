"""What a model's families and terms are called, and which terms come with a family."""

from __future__ import annotations

import pandas as pd

from pfamformer.annotation.join import FamilyTerms
from pfamformer.annotation.model import Model
from pfamformer.annotation.output import Family, Term


def read_names(model: Model) -> tuple[dict[str, Family], dict[str, Term], FamilyTerms]:
    """Families, terms, and terms of families with their probability, from a model folder.

    Terms of an ontology for which no probability was measured are left out.
    """
    terms = {
        r.term: Term(r.ontology, r.name, r.information)
        for r in _read(model, "terms", ["term", "ontology", "name", "information"])
    }
    chances = model.about.get("family_terms", {}).get("probability", {})
    of_family: dict[str, list[tuple[str, float]]] = {}
    for row in _read(model, "family_terms", ["family", "term"]):
        chance = chances.get(terms[row.term].ontology)
        if chance is not None:
            of_family.setdefault(row.family, []).append((row.term, chance))
    families = {
        r.family: Family(r.name, r.description, tuple(t for t, _ in of_family.get(r.family, ())))
        for r in _read(model, "families", ["family", "name", "description"])
    }
    return families, terms, FamilyTerms(of_family)


def _read(model: Model, part: str, columns: list[str]) -> list:
    path = model.path(part)
    if path is None:
        return []
    table = pd.read_csv(path, sep="\t", keep_default_na=False)[columns]
    return list(table.itertuples(index=False))
