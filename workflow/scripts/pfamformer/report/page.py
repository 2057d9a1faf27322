"""The report page: numbers gathered from result files, sentences made from numbers."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from pfamformer.families.similarity import mmseqs_binary
from pfamformer.report.cost import costs
from pfamformer.report.items import SECTIONS, Item, cells, in_order, prose, read_item
from pfamformer.report.published import TABLE_3_FAMILIES
from pfamformer.report.summary import SHOWN, similar_domains, summarise
from pfamformer.report.table_3 import REFERENCE
from pfamformer.sources.wheels import WHEELS
from pfamformer.tables import read_json

VERSIONS = ["snakemake", "torch", "pyhmmer", "numpy", "pandas", "scipy", "biopython", "matplotlib"]


@dataclass(frozen=True)
class Results:
    """The files of one project that the report reads."""

    folder: Path

    def json(self, *path: str) -> Any:
        """A JSON file."""
        return read_json(self.folder.joinpath(*path))

    def tsv(self, *path: str) -> pd.DataFrame:
        """A tab-separated table; empty cells of text stay empty."""
        return pd.read_csv(self.folder.joinpath(*path), sep="\t", keep_default_na=True)


def embedded_svg(path: Path) -> str:
    """An SVG to put into the page, scaled to its width.

    What HTML does not know is left out: the XML prologue, and RDF in ``<metadata>``.
    """
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    for attribute in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {attribute}="[^"]*"', r"\1", text, count=1)
    return text


def with_own_ids(svg: str, prefix: str) -> str:
    """An SVG whose ids, and the references to them, begin with ``prefix``: a page holds several.

    Equal images of a figure come with equal ids; only the first keeps it.
    """
    seen: set[str] = set()

    def own(match: re.Match[str]) -> str:
        first = match[1] not in seen
        seen.add(match[1])
        return f' id="{prefix}-{match[1]}"' if first else ""

    svg = re.sub(r'\sid="([^"]+)"', own, svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    return re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)


def make_page(folder: Path, items: Sequence[Path], template: Path, options: str) -> str:
    """The whole report as HTML.

    Args:
        folder: ``results/<project>``.
        items: JSON files of the items to show (:mod:`pfamformer.report.items`).
        template: of the page.
        options: behind ``snakemake TARGET``, what makes this configuration again.
    """
    results = Results(folder)
    project = results.json("config.json")
    pretraining = {
        name: results.json("pretrain", name, "summary.json").plus(settings=run)
        for name, run in project["runs"].items()
        if run["kind"] == "pretrain"
    }
    table = results.tsv("tables", "table_3.tsv")
    found = results.json("tables", "table_3_comparisons.json")
    leakage = {
        name: results.json("splits", name, "leakage.json") for name in ("clustered", "random")
    }
    shown = [(read_item(path), path) for path in items]
    families = results.tsv("domains", "families.tsv")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "percent": _percent,
        "prose": prose,
    }
    return environment.get_template(template.name).render(
        project=project,
        shown=SHOWN,
        summary=summarise(
            project,
            families,
            leakage,
            pretraining,
            _last_losses(results, pretraining),
            table,
            found["pretraining"],
            [item for item, _ in shown],
        ),
        options=options,
        families=families,
        rejects=len(results.tsv("domains", "rejects.tsv")),
        corpora={
            corpus: _corpus(results, corpus)
            for corpus in sorted({p["settings"]["corpus"] for p in pretraining.values()})
        },
        leakage=leakage,
        similar=similar_domains(leakage["clustered"]["definition"]),
        searched=_searched(leakage["clustered"]["search"]),
        histogram=_histogram(leakage),
        pretraining=pretraining,
        sections=_sections(folder, shown),
        headings=SECTIONS,
        reference_effect={e["split"]: e for e in found["split"] if e["method"] == REFERENCE},
        best=_best_network(table),
        reference=_reference(table),
        published_families=TABLE_3_FAMILIES,
        costs=costs(folder),
        wheels=WHEELS,
        versions=_versions(),
        configuration=json.dumps(project, indent=1),
    )


def _corpus(results: Results, corpus: str) -> dict[str, Any]:
    """Index of a corpus, with what it leaves out for other reasons than the page names."""
    train, valid = (results.json("corpora", corpus, p, "index.json") for p in ("train", "valid"))
    selection = train["selection"]
    named = ("duplicate", "too_short", "holds_held_out_domain")
    used = train["sequences"] + valid["sequences"] + sum(selection[key] for key in named)
    return train.plus(validation=valid["sequences"], others=selection["read"] - used)


def _searched(search: Mapping[str, Any]) -> str:
    """How the certificate's pairs were found."""
    tool = {"mmseqs": "MMseqs2"}.get(search["tool"], search["tool"])
    prefilter = search["prefilter"]
    return f"{tool}, {'all pairs' if prefilter == 'none' else f'prefilter: {prefilter}'}"


def _last_losses(results: Results, runs: Iterable[str]) -> dict[str, float]:
    """The last validation loss of each pretraining run, nats; absent where there is none."""
    losses = {}
    for run in runs:
        metrics = results.tsv("pretrain", run, "metrics.tsv")
        valid = metrics.loc[metrics["part"] == "valid", "loss"]
        losses |= {run: float(valid.iloc[-1])} if len(valid) else {}
    return losses


def _sections(folder: Path, shown: Sequence[tuple[Item, Path]]) -> dict[str, list[dict[str, Any]]]:
    """What the template needs of each item, by section."""
    found: dict[str, list[dict[str, Any]]] = {section: [] for section in SECTIONS}
    paths = {item.name: path for item, path in shown}
    for item in in_order(item for item, _ in shown):
        found[item.section].append(_shown(folder, item, paths[item.name]))
    return found


def _shown(folder: Path, item: Item, path: Path) -> dict[str, Any]:
    link = path.parent.relative_to(folder)
    listed = item.columns and item.numbers
    numbers = pd.read_csv(path.parent / item.numbers, sep="\t") if listed else pd.DataFrame()
    return {
        "item": item,
        "figure": with_own_ids(embedded_svg(path.parent / item.figure), item.name)
        if item.figure
        else None,
        "link": (link / item.numbers).as_posix() if item.numbers else None,
        "rows": cells(item, numbers) if listed else [],
        "of": len(numbers),
    }


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _reference(table: pd.DataFrame) -> dict[str, Any]:
    return table[table["method"] == REFERENCE].iloc[0].to_dict()


def _best_network(table: pd.DataFrame) -> dict[str, Any] | None:
    ran = table[table["accuracy"].notna() & (table["kind"] == "network")]
    return None if ran.empty else ran.sort_values("accuracy").iloc[-1].to_dict()


def _histogram(leakage: dict[str, Any]) -> list[dict[str, Any]]:
    """Nearest identity of held-out rows, as shares of the largest bar of each split."""
    edges = leakage["clustered"]["nearest_identity"]["bin_edges"]
    bars = []
    for position in range(len(edges) - 1):
        bar: dict[str, Any] = {"from": edges[position], "to": edges[position + 1]}
        for name, certificate in leakage.items():
            rows = certificate["nearest_identity"]["rows"]
            bar[name] = {"rows": rows[position], "height": rows[position] / max(1, max(rows))}
        bars.append(bar)
    return bars


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for package in VERSIONS:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            # In a conda environment of one rule only its own packages are there.
            versions[package] = "not in this environment"
    try:
        said = subprocess.run(
            [mmseqs_binary(), "version"], capture_output=True, text=True, check=True
        )
        versions["MMseqs2"] = said.stdout.strip()[:12]
    except (OSError, ValueError, subprocess.CalledProcessError):
        versions["MMseqs2"] = "not in this environment"
    return versions


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or _empty(value) else f"{value:.{digits}f}"
