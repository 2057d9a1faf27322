"""The Gene Ontology: terms, their parents over ``is_a`` and ``part_of``, and propagation.

Each of the three ontologies is a graph of its own: a parent in another one is left out, as CAFA and
its reference evaluator do. Format: OBO 1.2 and 1.4 (https://owlcollab.github.io/oboformat).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from pfamformer.errors import InputError
from pfamformer.sequences.text import read_lines

#: Namespaces of the Gene Ontology and what CAFA calls them.
SHORT = {"molecular_function": "mfo", "biological_process": "bpo", "cellular_component": "cco"}
_ID = re.compile(r"[A-Za-z_]\w*:\w+")
_TAG = re.compile(r"([\w-]+):\s*(.*)")
# Everything else in a stanza (definitions, synonyms, cross-references) is passed over.
_ONE = {"id", "name", "namespace", "is_obsolete"}
_MANY = {"alt_id", "is_a", "relationship", "replaced_by"}


@dataclass(frozen=True, slots=True)
class Term:
    """A term: identifier, name, ontology (mfo, bpo, cco, or another file's namespace), parents."""

    id: str
    name: str
    ontology: str
    parents: tuple[str, ...]


@dataclass(slots=True)
class _Stanza:
    line: int
    values: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def first(self, tag: str, default: str = "") -> str:
        return self.values[tag][0][1] if tag in self.values else default


@dataclass(frozen=True)
class Ontology:
    """Terms in use, and where identifiers that are not in use any more lead.

    Args:
        terms: by identifier, children before parents.
        renamed: alternative identifiers, and obsolete ones with exactly one replacement.
        obsolete: identifiers without a replacement.
    """

    terms: dict[str, Term]
    renamed: dict[str, str]
    obsolete: frozenset[str]

    def resolve(self, identifier: str) -> str | None:
        """The identifier in use for this one; None where there is none."""
        if identifier in self.terms:
            return identifier
        return self.renamed.get(identifier)

    @cached_property
    def ancestors(self) -> dict[str, frozenset[str]]:
        """For each term, itself and all its ancestors."""
        found: dict[str, frozenset[str]] = {}
        for term in reversed(self.terms.values()):
            above = (found[parent] for parent in term.parents)
            found[term.id] = frozenset((term.id,)).union(*above)
        return found

    @cached_property
    def roots(self) -> frozenset[str]:
        """Terms without parents: true of every annotated protein, so never judged."""
        return frozenset(term.id for term in self.terms.values() if not term.parents)

    def propagate(self, identifiers: Iterable[str]) -> set[str]:
        """These terms (identifiers in use) and all their ancestors."""
        return set().union(*(self.ancestors[identifier] for identifier in identifiers))

    def leaves(self, identifiers: Iterable[str]) -> set[str]:
        """Those of these terms that are no ancestor of another one among them."""
        given = set(identifiers)
        above: set[str] = set()
        for identifier in given:
            above |= self.ancestors[identifier] - {identifier}
        return given - above


def read_obo(path: str | Path) -> Ontology:
    """Read the terms of an OBO file.

    Raises:
        InputError: a line that is no tag, a term without identifier or namespace, one that is
            given twice, a parent that the file does not define, a cycle; with the line.
    """
    default, live, renamed, obsolete = "", {}, {}, set()
    lines: dict[str, int] = {}
    replaced: list[tuple[str, list[str]]] = []
    for stanza in _stanzas(path):
        if stanza.line == 0:
            default = stanza.first("default-namespace")
            continue
        identifier = stanza.first("id")
        if not _ID.fullmatch(identifier):
            raise _bad(path, stanza.line, f"a term with the identifier {identifier[:40]!r}")
        if identifier in lines:
            raise _bad(path, stanza.line, f"{identifier} is defined at line {lines[identifier]}")
        lines[identifier] = stanza.line
        if stanza.first("is_obsolete") == "true":
            obsolete.add(identifier)
            replaced.append((identifier, [v for _, v in stanza.values.get("replaced_by", [])]))
            continue
        live[identifier] = _term(path, stanza, identifier, default)
        renamed |= dict.fromkeys((v for _, v in stanza.values.get("alt_id", [])), identifier)
    if not live:
        end = f"after line {sum(1 for _ in read_lines(path))}"
        raise InputError(path, "holds no term", record=end, remedy="Is this an OBO file?")
    renamed |= {old: new[0] for old, new in replaced if len(new) == 1 and new[0] in live}
    return Ontology(
        _ordered(path, live, lines),
        {old: new for old, new in renamed.items() if old not in live},
        frozenset(obsolete - renamed.keys()),
    )


def _bad(path: str | Path, line: int, problem: str) -> InputError:
    return InputError(path, problem, record=f"line {line}", remedy="Is the file whole?")


def _stanzas(path: str | Path) -> Iterator[_Stanza]:
    """The header (line 0), then each ``[Term]``, with the tags that are read."""
    stanza: _Stanza | None = _Stanza(0)
    for number, line in read_lines(path, "utf-8"):
        if not line or line.isspace() or line.startswith("!"):
            continue
        if line.startswith("["):
            if stanza is not None:
                yield stanza
            if not re.fullmatch(r"\[\w+\]\s*", line):
                raise _bad(path, number, f"{line[:40]!r} is no stanza")
            stanza = _Stanza(number) if line.startswith("[Term]") else None
        elif stanza is not None:
            tag = _TAG.match(line)
            if tag is None:
                raise _bad(path, number, f"{line[:40]!r} is no 'tag: value'")
            _add(path, stanza, number, tag[1], tag[2])
    if stanza is not None:
        yield stanza


def _add(path: str | Path, stanza: _Stanza, number: int, tag: str, value: str) -> None:
    if stanza.line == 0:
        stanza.values.setdefault(tag, []).append((number, value.strip()))
    elif tag in _ONE or tag in _MANY:
        # What follows '!' is a comment, what follows '{' are qualifiers.
        value = value if tag == "name" else re.split(r"\s[!{]", value, maxsplit=1)[0].strip()
        if tag in _ONE and tag in stanza.values:
            raise _bad(path, number, f"a second '{tag}' in one term")
        stanza.values.setdefault(tag, []).append((number, value))


def _term(path: str | Path, stanza: _Stanza, identifier: str, default: str) -> Term:
    namespace = stanza.first("namespace", default)
    if not namespace:
        raise _bad(path, stanza.line, f"{identifier} has no namespace")
    parents = [
        (line, words[-1])
        for tag, words_wanted in (("is_a", 1), ("relationship", 2))
        for line, value in stanza.values.get(tag, [])
        for words in [_words(path, line, tag, value, words_wanted)]
        if tag == "is_a" or words[0] == "part_of"
    ]
    return Term(
        identifier,
        stanza.first("name", identifier),
        SHORT.get(namespace, namespace),
        tuple(dict.fromkeys(parent for _, parent in parents)),
    )


def _words(path: str | Path, line: int, tag: str, value: str, wanted: int) -> list[str]:
    words = value.split()
    if len(words) != wanted or not _ID.fullmatch(words[-1]):
        raise _bad(path, line, f"'{tag}: {value[:40]}' names no term")
    return words


def _ordered(path: str | Path, live: dict[str, Term], lines: dict[str, int]) -> dict[str, Term]:
    """The terms, children before parents, without parents of other ontologies."""
    within: dict[str, Term] = {}
    for term in live.values():
        for parent in term.parents:
            if parent not in live:
                raise _bad(path, lines[term.id], f"{parent}, a parent of {term.id}, is not in use")
        own = tuple(p for p in term.parents if live[p].ontology == term.ontology)
        within[term.id] = Term(term.id, term.name, term.ontology, own)
    try:
        order = list(TopologicalSorter({t.id: t.parents for t in within.values()}).static_order())
    except CycleError as error:
        around = error.args[1]
        raise _bad(path, lines[around[0]], f"a cycle: {' → '.join(around)}") from error
    return {identifier: within[identifier] for identifier in reversed(order)}
