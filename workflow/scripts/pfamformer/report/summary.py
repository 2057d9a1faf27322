"""The top of the page: what was run, what was found, what fell short. Sentences from numbers only.

A sentence is written when its numbers are there and left out otherwise; items bring their own in
``findings`` and ``shortfalls``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pfamformer.methods import REFERENCE
from pfamformer.report.figure_6 import against_no_context
from pfamformer.report.items import SECTIONS, Item, in_order, p_value

# An interval wider than this many percentage points hides most differences between methods.
_WIDE = 10
#: Sentences of each list that the page shows at once; the others are folded.
SHOWN = 5
#: Items and sections whose sentences come first, the most important one first; the others in the
#: page's order.
_FIRST = ("split", "table_3", "figure_6", "localisation", "go_baselines", "table_4", "figure_14",
          "table_1", "figure_7")  # fmt: skip

#: Kinds of runs beside pretraining, as "What was run" calls one and several.
_KINDS = {
    "finetune": ("fine-tuning run", "fine-tuning runs"),
    "tagger": ("tagger of domains on proteins", "taggers of domains on proteins"),
    "terms": ("network for Gene Ontology terms", "networks for Gene Ontology terms"),
    "fold": ("network for folds", "networks for folds"),
    "task": ("network for another task", "networks for other tasks"),
}


@dataclass(frozen=True)
class Sentence:
    """A sentence and where the page shows its numbers.

    Args:
        source: name of an item or a section.
        title: of the source; empty where the page does not show it.
    """

    text: str
    source: str
    title: str


@dataclass(frozen=True)
class Summary:
    """Sentences by heading."""

    run: list[str]
    findings: list[Sentence]
    shortfalls: list[Sentence]


def summarise(
    project: Mapping[str, Any],
    families: pd.DataFrame,
    leakage: Mapping[str, Any],
    pretraining: Mapping[str, Mapping[str, Any]],
    losses: Mapping[str, float],
    table: pd.DataFrame,
    gains: Sequence[Mapping[str, Any]],
    items: Iterable[Item],
) -> Summary:
    """Write the summary.

    Args:
        project: the resolved configuration.
        leakage: certificates by split.
        pretraining: ``summary.json`` by run.
        losses: last validation loss by run, nats.
        table: table 3.
        gains: gain of pretraining per head, percentage points with interval.
        items: everything that the page shows.
    """
    ran = table[table["accuracy"].notna()]
    items = in_order(items)
    found = {
        "split": list(_split(leakage)),
        "table_3": [*_families(ran), *_gains(gains)],
        "figure_6": list(_pretraining(pretraining, losses)),
    }
    short = {
        "table_3": list(_families_fell_short(ran, gains)),
        "families": list(_limits(project, leakage, ran, table)),
    }
    sources = project["sources"]
    if sources["provider"] == "embedded" and not sources["families"]:
        short["data"] = ["Families were labelled by profile HMMs, which favours the profile HMM."]
    return Summary(
        list(_what_was_run(project, families, leakage, pretraining)),
        _ordered([*found.items(), *((item.name, item.findings) for item in items)], items),
        _ordered([*short.items(), *((item.name, item.shortfalls) for item in items)], items),
    )


def _ordered(said: Iterable[tuple[str, Sequence[str]]], items: Sequence[Item]) -> list[Sentence]:
    """Sentences with their sources, the most important first."""
    titles = SECTIONS | {item.name: item.title for item in items}
    sentences = [
        Sentence(text, source, titles.get(source, "")) for source, texts in said for text in texts
    ]
    places = {source: place for place, source in enumerate(_FIRST)}
    return sorted(sentences, key=lambda sentence: places.get(sentence.source, len(places)))


def _what_was_run(
    project: Mapping[str, Any],
    families: pd.DataFrame,
    leakage: Mapping[str, Any],
    pretraining: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    parts = leakage["clustered"]["parts"]
    known = "" if project["sources"]["families"] else "Pfam "
    yield (
        f"{families['domains'].sum():,} domains of {len(families):,} {known}families, of which "
        f"{parts.get('train', 0):,} train, {parts.get('dev', 0):,} tune and "
        f"{parts.get('test', 0):,} test."
    )
    for name, run in pretraining.items():
        yield (
            f"Pretraining run {name}: a network of {run['parameters']:,} parameters read "
            f"{run['residues_read'] / 1e6:,.1f} million residues on {_device(run)}."
        )
    for kind, (one, several) in _KINDS.items():
        names = [name for name, run in project["runs"].items() if run["kind"] == kind]
        if names:
            yield f"{len(names)} {one if len(names) == 1 else several}: {', '.join(names)}."
    if project["combinations"]:
        yield f"Combinations of methods: {', '.join(project['combinations'])}."


def _device(run: Mapping[str, Any]) -> str:
    if run["device"] == "CPU":
        cores = run["threads"] * run["processes"]
        return f"{cores} CPU core{'' if cores == 1 else 's'}"
    return f"{run['processes']} × {run['device']}"


def _split(leakage: Mapping[str, Any]) -> Iterator[str]:
    clustered, random = leakage["clustered"], leakage["random"]
    held_out = {
        name: sum(c["parts"].get(part, 0) for part in ("dev", "test"))
        for name, c in leakage.items()
    }
    leaks = clustered["leaking_rows"]
    yield (
        f"{'None' if leaks == 0 else f'{leaks:,}'} of the {held_out['clustered']:,} held-out "
        f"domains of the clustered split {'resembles' if leaks == 0 else 'resemble'} a training "
        f"domain of its family ({similar_domains(clustered['definition'])}); in the random split "
        f"{random['leaking_rows']:,} of {held_out['random']:,} do."
    )


def similar_domains(definition: Mapping[str, Any]) -> str:
    """What a split calls similar, from the ``definition`` of its certificate."""
    identity = f"at least {100 * definition['min_identity']:.0f} % identity"
    if definition["kind"] == "alignment":
        return f"{identity} in the seed alignment, over the shorter length"
    bits = definition["min_bits"]
    return (
        f"{identity} over at least {100 * definition['min_coverage_of_both']:.0f} % of both by "
        "local alignment, "
        + (f"scoring at least {bits:g} bits or one per residue" if bits else "at any score")
    )


def _pretraining(
    pretraining: Mapping[str, Mapping[str, Any]], losses: Mapping[str, float]
) -> Iterator[str]:
    for name, run in pretraining.items():
        loss = losses.get(name, math.nan)
        if not math.isnan(loss):
            yield (
                f"The validation loss of {name} at hidden residues is {loss:.2f} nats, "
                f"{against_no_context(loss, run)}."
            )


def _families(ran: pd.DataFrame) -> Iterator[str]:
    best, reference = best_network(ran), _reference(ran)
    if best is None or reference is None:
        return
    lead, p = best["accuracy"] - reference["accuracy"], best["p_against_phmm"]
    yield (
        f"The best network ({best['method']}, {best['run']}) gives {best['accuracy']:.1f} % of the "
        f"test domains their right family, the profile HMM {reference['accuracy']:.1f} %: "
        f"{lead:+.1f} percentage points (McNemar's test, p {'' if p < 1e-4 else '= '}{p_value(p)})."
    )


def best_network(ran: pd.DataFrame) -> pd.Series | None:
    """The row of the best network among those that ran."""
    networks = ran[ran["kind"] == "network"]
    return None if networks.empty else networks.sort_values("accuracy").iloc[-1]


def _reference(ran: pd.DataFrame) -> pd.Series | None:
    found = ran[ran["method"] == REFERENCE]
    return None if found.empty else found.iloc[0]


def _gains(gains: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for verdict, chosen in (
        ("helps", [g for g in gains if g["low"] > 0]),
        ("hurts", [g for g in gains if g["high"] < 0]),
    ):
        if chosen:
            yield f"Pretraining {verdict} with " + ", ".join(
                f"{g['method']} ({g['gain']:+.1f} percentage points, {g['low']:+.1f} to "
                f"{g['high']:+.1f})" for g in chosen
            ) + "."  # fmt: skip


def _families_fell_short(ran: pd.DataFrame, gains: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best, reference = best_network(ran), _reference(ran)
    if best is not None and reference is not None and best["accuracy"] < reference["accuracy"]:
        short = reference["accuracy"] - best["accuracy"]
        yield f"No network reaches the profile HMM: the best is {short:.1f} points below."
    unclear = [g["method"] for g in gains if g["low"] <= 0 <= g["high"]]
    if unclear:
        yield (
            f"Whether pretraining helps cannot be told for {', '.join(unclear)}: the interval of "
            "the difference holds zero."
        )
    hurt = [g["method"] for g in gains if g["high"] < 0]
    if hurt:
        yield f"Pretraining as configured here makes {', '.join(hurt)} worse than a random start."


def _limits(
    project: Mapping[str, Any],
    leakage: Mapping[str, Any],
    ran: pd.DataFrame,
    table: pd.DataFrame,
) -> Iterator[str]:
    """What the comparison of methods cannot show."""
    reference = _reference(ran)
    if reference is not None:
        width = reference["accuracy_high"] - reference["accuracy_low"]
        if width > _WIDE:
            yield (
                f"{leakage['clustered']['parts']['test']:,} test domains leave the profile HMM's "
                f"accuracy an interval of {width:.0f} percentage points; small differences between "
                "methods do not show."
            )
    fine = [name for name, run in project["runs"].items() if run["kind"] == "finetune"]
    if fine and not any("_seed" in name for name in fine):
        yield "Every run was trained once: differences hold the chance of one seed."
    missing = table.loc[table["accuracy"].isna(), "method"].tolist()
    if missing:
        yield f"Published, but not run in this configuration: {', '.join(missing)}."
