"""The pages in a real browser: the report and an annotation of the tiny run."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import html5lib
import pytest

from conftest import TINY, snakemake

BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
PAGES = ["report.html", "annotate/my/annotation.html"]


@pytest.fixture(scope="module")
def results(tiny):
    """Results of the tiny run with an annotation of a few of its own proteins."""
    import pyarrow.parquet as pq

    folder = tiny / "results" / "tiny"
    proteins = pq.read_table(folder / "domains/proteins.parquet").slice(0, 40).to_pylist()
    records = "".join(f">{p['protein']}\n{p['sequence']}\n" for p in proteins)
    (tiny / "my.fasta").write_text(records)
    ended = snakemake(tiny, "annotate", "--cores", 1, *TINY, "--config", "query=my.fasta")
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


def chromium(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess:
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
        "--disable-default-apps", f"--user-data-dir={profile}", "--enable-logging=stderr",
        "--log-level=0", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("size", [(1200, 2400), (390, 844)], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_errors_and_shows_something(results, tmp_path, name, size):
    image = pytest.importorskip("PIL.Image")
    width, height = size
    shot = tmp_path / "page.png"
    ended = chromium(
        results / name, tmp_path / "p", f"--window-size={width},{height}", f"--screenshot={shot}"
    )
    console = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    with image.open(shot) as picture:
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 50


@pytest.mark.parametrize("name", PAGES)
def test_no_request_leaves_the_page(results, tmp_path, name):
    log = tmp_path / "net.json"
    chromium(results / name, tmp_path / "p", f"--log-net-log={log}", "--dump-dom")
    text = log.read_text()
    asked = set(re.findall(r'"url":"([a-z]+:[^"]*)"', text))
    # Chromium's own start pages; everything else must be files.
    outside = {u for u in asked if u.startswith("http") and "chromium" not in u}
    assert not {u for u in outside if "google" not in u}, outside
    page = (results / name).read_text()
    assert not re.findall(r'<(?:script|link|img|iframe|source)[^>]+(?:src|href)="(?!data:)', page)
    assert "@import" not in page and not re.findall(r"url\((?!#|data:)", page)


@pytest.mark.parametrize("name", PAGES)
def test_html_is_valid_ids_are_unique_and_links_resolve(results, name):
    page = (results / name).read_text()
    html5lib.HTMLParser(strict=True).parse(page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), {i for i in ids if ids.count(i) > 1}
    for link in map(html.unescape, re.findall(r'href="([^"]+)"', page)):
        if link.startswith("#"):
            assert link[1:] in ids, link
        elif not link.startswith("data:"):
            assert ((results / name).parent / unquote(link)).exists(), link
    for used in re.findall(r"url\(#([^)]+)\)", page):
        assert used in ids, used


@pytest.mark.parametrize("name", PAGES)
def test_every_table_sorts_both_ways(results, tmp_path, name):
    page = (results / name).read_text()
    script = """<script>
    const seen = [...document.querySelectorAll("table.sortable")].map((table) => {
      const rows = () => [...table.tBodies[0].rows].map((row) => row.cells[0].dataset.sort);
      const button = table.tHead.rows[0].cells[0].querySelector("button");
      const before = rows(); button.click(); const up = rows(); button.click();
      return {before, up, down: rows(), aria: table.tHead.rows[0].cells[0].ariaSort};
    });
    document.title = "tested"; document.body.dataset.seen = JSON.stringify(seen);
    </script></body>"""
    copy = tmp_path / "page.html"
    copy.write_text(page.replace("</body>", script))
    dom = chromium(copy, tmp_path / "p", "--dump-dom").stdout
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))
    assert seen
    for table in seen:
        filled = [value for value in table["up"] if value != ""]
        try:
            wanted = sorted(filled, key=float)
        except ValueError:
            wanted = sorted(filled, key=str.lower)
            filled = [v.lower() for v in filled]
            wanted = [v.lower() for v in wanted]
            # Punctuation sorts differently in browsers; letters and digits must be in order.
            plain = re.compile(r"[^a-z0-9]")
            filled = [plain.sub("", v) for v in filled]
            wanted = sorted(filled)
        assert filled == wanted
        assert sorted(table["down"]) == sorted(table["before"])
        assert table["aria"] == "descending"


def test_the_summary_and_the_commands_are_true_of_the_run(results, tiny):
    page = html.unescape((results / "report.html").read_text())
    leakage = json.loads((results / "splits/clustered/leakage.json").read_text())
    held_out = leakage["parts"]["dev"] + leakage["parts"]["test"]
    assert f"None of the {held_out} held-out domains" in page
    commands = set(re.findall(r"<code>snakemake ([^<]+)</code>", page))
    assert any(c.startswith("table_3 --configfile config/tiny.yaml") for c in commands)
    targets = sorted({c.split()[0] for c in commands if not c.startswith("-")})
    planned = snakemake(tiny, *targets, "-n", *TINY)
    assert planned.returncode == 0, planned.stderr[-2000:]


def test_snakemakes_own_report_has_every_caption(results, tiny, tmp_path):
    pytest.importorskip("pygments")
    made = tmp_path / "report.html"
    ended = snakemake(tiny, "--report", made, *TINY)
    assert ended.returncode == 0, ended.stderr[-3000:]
    text = made.read_text()
    for category in ("Tables", "Figures", "Report"):
        assert f'"{category}"' in text or f">{category}<" in text, category
    # A broken caption does not stop Snakemake; docutils marks it.
    assert "system-message" not in text and "System Message" not in text
    assert "Table 3: share of test domains" in text
    assert '"labels": {' in text and '"labels": null' not in text
