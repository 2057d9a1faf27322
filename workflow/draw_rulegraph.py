"""Draw the rules and what each waits for, from Snakemake's own rule graph, as SVG.

python workflow/draw_rulegraph.py docs/rulegraph.svg [snakemake options]

Graphviz is not needed: rules are placed in layers by their longest way from a source, and ordered
in each layer by the mean place of what they wait for (Sugiyama's method, 1981).
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html import escape
from pathlib import Path

WIDTH, HEIGHT, ACROSS, DOWN = 138, 26, 150, 62  # pixels: box, and distance of boxes
SWEEPS = 30  # more change nothing for some tens of rules


def read_graph(options: list[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Rule names by number, and edges, as ``snakemake --rulegraph`` prints them."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "all", *options]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    nodes = dict(re.findall(r'(\d+)\[label = "(\w+)"', text))
    edges = re.findall(r"(\d+) -> (\d+)", text)
    # Settings reach everything and the default target waits for everything: they hide the rest.
    hidden = {n for n, name in nodes.items() if name in ("all", "run_config", "project_config")}
    shown = {n: name for n, name in nodes.items() if n not in hidden}
    return shown, without_shortcuts([e for e in edges if not hidden & set(e)])


def without_shortcuts(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges that are not implied by longer ways (the transitive reduction)."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)

    @cache
    def behind(node: str) -> frozenset[str]:
        found = after.get(node, set())
        return frozenset(found).union(*map(behind, found))

    return [(a, b) for a, b in edges if not any(b in behind(c) for c in after[a] - {b})]


def place(nodes: dict[str, str], edges: list[tuple[str, str]]) -> dict[str, tuple[float, int]]:
    """Column (fractional) and layer of each node."""
    before = {n: sorted(a for a, b in edges if b == n) for n in nodes}
    after = {n: sorted(b for a, b in edges if a == n) for n in nodes}
    layer: dict[str, int] = {}

    def depth(node: str) -> int:
        if node not in layer:
            layer[node] = 1 + max(map(depth, before[node]), default=-1)
        return layer[node]

    rows: list[list[str]] = [[] for _ in range(1 + max(map(depth, nodes)))]
    for node in sorted(nodes, key=lambda n: nodes[n]):
        rows[layer[node]].append(node)
    column = {n: i - len(row) / 2 for row in rows for i, n in enumerate(row)}
    for sweep in range(SWEEPS):
        near = before if sweep % 2 == 0 else after
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wish = {
                n: sum(column[m] for m in near[n]) / len(near[n]) if near[n] else column[n]
                for n in row
            }
            row.sort(key=lambda n: (wish[n], nodes[n]))
            middle = sum(wish.values()) / len(row)
            for i, node in enumerate(row):
                column[node] = middle + i - (len(row) - 1) / 2
    return {n: (column[n], layer[n]) for n in nodes}


def draw(nodes: dict[str, str], edges: list[tuple[str, str]]) -> str:
    """The SVG."""
    places = place(nodes, edges)
    left = min(x for x, _ in places.values())
    at = {n: (10 + (x - left) * ACROSS, 10 + y * DOWN) for n, (x, y) in places.items()}
    width = max(x for x, _ in at.values()) + WIDTH + 10
    height = max(y for _, y in at.values()) + HEIGHT + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
    ]
    for a, b in edges:
        (xa, ya), (xb, yb) = at[a], at[b]
        start, end = (xa + WIDTH / 2, ya + HEIGHT), (xb + WIDTH / 2, yb)
        bend = (end[1] - start[1]) / 2
        lines.append(
            f'<path d="M{start[0]:.0f} {start[1]:.0f} C{start[0]:.0f} {start[1] + bend:.0f} '
            f'{end[0]:.0f} {end[1] - bend:.0f} {end[0]:.0f} {end[1]:.0f}" fill="none" '
            'stroke="#9aa7b5"/>'
        )
    for node, (x, y) in at.items():
        lines.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
            'fill="#f3f7fb" stroke="#0072b2"/>'
            f'<text x="{x + WIDTH / 2:.0f}" y="{y + 17:.0f}" text-anchor="middle" '
            f'fill="#1d2733">{escape(nodes[node])}</text>'
        )
    return "\n".join([*lines, "</svg>\n"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(*read_graph(sys.argv[2:])), encoding="utf-8")
