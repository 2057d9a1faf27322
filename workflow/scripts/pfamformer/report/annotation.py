"""The page of an annotation: what was read, which families were found, tracks of domains."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from pfamformer.annotation.card import quality
from pfamformer.annotation.join import Protein, plain
from pfamformer.annotation.output import Family, Term
from pfamformer.annotation.problems import LEFT_OUT, PROBLEMS
from pfamformer.report.figures import COLOURS
from pfamformer.report.items import prose

#: Families that the page lists; domains.tsv holds all.
LISTED = 60
#: GO terms that the page shows of a protein; terms.tsv holds all.
TERMS_SHOWN = 5
#: Lanes from above: what asks the least first, and last what answers wherever another method calls.
LANES = ("profile HMM", "tagger", "family network")
#: Colours on which white letters have a contrast of more than 3:1; black ones on the others.
DARK = ("#0072B2", "#D55E00", "#009E73")


@dataclass
class Gathered:
    """What the page needs of a stream of proteins: counts, and the most interesting ones.

    Args:
        shown: proteins that the page shows.
    """

    shown: int
    proteins: int = 0
    with_call: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    _heap: list[tuple[tuple, Protein]] = field(default_factory=list)

    def add(self, protein: Protein) -> None:
        """Count a protein; keep it if it is among the most interesting so far."""
        self.proteins += 1
        if not protein.calls:
            return
        self.with_call += 1
        self.calls.update(call["method"] for call in protein.calls)
        self.words.update(protein.agreement)
        self.families.update({call["label"] for call in protein.calls})
        # The number breaks ties: the earlier protein wins, and proteins are never compared.
        entry = ((protein.interest, -self.proteins), protein)
        if len(self._heap) < self.shown:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def best(self) -> list[Protein]:
        """The most interesting proteins, best first."""
        return [protein for _, protein in sorted(self._heap, key=lambda e: e[0], reverse=True)]


def make_page(
    gathered: Gathered,
    families: Mapping[str, Family],
    terms: Mapping[str, Term],
    model: Mapping[str, Any],
    summary: Mapping[str, Any],
    title: str,
    command: str,
    template: Path,
) -> str:
    """The page as HTML that needs nothing else.

    Args:
        terms: GO terms by accession.
        model: ``model.json``.
        summary: counts of reading the query, as ``query.json`` holds them.
        command: how to make the page again.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"number": lambda value: f"{value:,.0f}", "prose": prose}
    return environment.get_template(template.name).render(
        title=title,
        command=command,
        summary=summary,
        left_out=sum(summary["problems"].get(key, 0) for key in LEFT_OUT),
        problems=[(key, summary["problems"].get(key, 0), PROBLEMS[key]) for key in PROBLEMS],
        gathered=gathered,
        listed=[
            (label, families.get(label, Family("", "")), count)
            for label, count in sorted(gathered.families.items(), key=lambda f: (-f[1], f[0]))[
                :LISTED
            ]
        ],
        tracks=[
            _track(protein, _methods(gathered.calls), families, terms)
            for protein in gathered.best()
        ],
        model=model,
        trust=quality(model),
    )


def _best_terms(protein: Protein, terms: Mapping[str, Term]) -> list[dict[str, Any]]:
    """Terms that say most: probability times information, each once; roots say nothing."""
    best: dict[str, dict[str, Any]] = {}
    for call in protein.terms:
        term = terms[call["label"]]
        worth = call["score"] * term.information
        if worth > best.get(call["label"], {"worth": 0})["worth"]:
            best[call["label"]] = {
                "label": call["label"],
                "name": term.name,
                "worth": worth,
                "probability": call["score"],
                "method": call["method"],
            }
    return sorted(best.values(), key=lambda t: (-t["worth"], t["label"]))[:TERMS_SHOWN]


def _methods(called: Iterable[str]) -> list[str]:
    """Methods in the order of their lanes; others after those of :data:`LANES`."""
    known = [method for method in LANES if method in called]
    return known + sorted(set(called) - set(known))


def _track(
    protein: Protein,
    methods: Sequence[str],
    families: Mapping[str, Family],
    terms: Mapping[str, Term],
) -> dict[str, Any]:
    """Lanes of one protein, one per method; places as shares of its length, in per cent."""
    lanes: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    colours = _colours(protein.families)
    for call, word in zip(protein.calls, protein.agreement, strict=True):
        family = families.get(call["label"], Family(call["label"], ""))
        colour = colours[plain(call["label"])]
        width = 100 * (call["end"] - call["start"] + 1) / protein.length
        lanes[call["method"]].append(
            {
                "left": round(100 * (call["start"] - 1) / protein.length, 2),
                "width": round(width, 2),
                "colour": colour,
                "ink": "#fff" if colour in DARK else "#000",
                # A letter is about 1 % of the track wide; a label that does not fit is left out.
                "label": family.name if len(family.name) * 1.05 < width else "",
                "title": f"{family.name} ({call['label']}) {call['start']}–{call['end']}: "
                f"{family.description}, {_score(call)}" + (f"; {word}" if word else ""),
                "word": word,
            }
        )
    names = [families.get(c["label"], Family(c["label"], "")).name for c in protein.calls]
    return {
        "protein": protein,
        "terms": _best_terms(protein, terms),
        "lanes": lanes,
        "names": ", ".join(f"{n}" for n in dict.fromkeys(names)),
        "words": Counter(protein.agreement),
    }


def _score(call: Mapping[str, Any]) -> str:
    if call.get("evalue") is None:
        return f"probability {call['score']:.2f}"
    return f"{call['score']:.1f} bits, E-value {call['evalue']:.1g}"


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each family of a protein: its usual one, or the next free one if it is taken.

    Where there are more families than colours, some share one.
    """
    colours: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        first = sum(label.encode()) % len(COLOURS)
        turned = COLOURS[first:] + COLOURS[:first]
        free = [colour for colour in turned if colour not in colours.values()]
        colours[label] = (free or turned)[0]
    return colours
