"""The documentation: every command is planned or parsed, every link leads somewhere."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from conftest import ROOT, working_copy
from pfamformer.annotation.model import ABOUT, FILES, FORMAT
from pfamformer.config import resolve

PAGES = [ROOT / "README.md", ROOT / "config" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Programs that a plan cannot run here; the shell must be able to read them.
OTHERS = {"tmux", "source", "sbatch", "squeue", "sacct", "mkdir"}


def blocks(page, language=""):
    """The fenced blocks of one language; fences open and close in turn."""
    fences = re.split(r"^```(.*)\n", page.read_text(), flags=re.M)
    return [text for name, text in zip(fences[1::4], fences[2::4], strict=True) if name == language]


def commands():
    found = {}
    for page in PAGES:
        for block in blocks(page):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                known = {"snakemake", "make", "python"} | OTHERS
                if words and words[0] in known:
                    found.setdefault(" ".join(words), words)
    return found


COMMANDS = commands()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = working_copy(tmp_path_factory.mktemp("docs"))
    data = folder / "data" / "pfam"
    data.mkdir(parents=True)
    names = ["Pfam-A.seed.gz", "pfamseq.gz", "Pfam-A.clans.tsv.gz"]
    for name in [*names, *(f"uniparc_active_p{i}.fasta.gz" for i in range(1, 201))]:
        (data / name).touch()
    for name in ("my.fasta", "my_families.tsv", "my_families.tsv.gz"):
        (folder / name).write_text(">a\nMKT\n")
    # A model folder, as far as a plan looks at it.
    model = {"format": FORMAT, "files": dict.fromkeys(FILES, "")}
    (folder / "folder").mkdir()
    for name in FILES.values():
        (folder / "folder" / name).touch()
    (folder / "folder" / ABOUT).write_text(json.dumps(model))
    extend = next(p for p in PAGES if p.name == "extend.md")
    (folder / "deep.yaml").write_text(blocks(extend, "yaml")[0])
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_command_of_the_documentation_works(copy, command):
    words = COMMANDS[command]
    run = {"cwd": copy, "capture_output": True, "text": True}
    if words[0] == "snakemake":
        words = [sys.executable, "-m", "snakemake", *words[1:], "-n"]
    elif words[0] == "make":
        words = [*words, "-n"]
    elif words[0] == "python":
        assert (copy / words[1]).exists()
        words = [sys.executable, "-m", "py_compile", words[1]]
    else:
        words = ["bash", "-n", "-c", command]
    ended = subprocess.run(words, check=False, **run)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-2000:]


def test_a_saved_model_needs_no_training(copy):
    command = [sys.executable, "-m", "snakemake", "annotate", "-n", "--config", "query=my.fasta"]
    planned = subprocess.run(
        [*command, "model=folder"], cwd=copy, capture_output=True, text=True, check=True
    )
    jobs = re.findall(r"^(?:local)?rule (\w+):", planned.stdout + planned.stderr, re.M)
    assert set(jobs) == {"scan_query", "read_query", "annotate_query", "annotate"}
    missing = subprocess.run(
        [*command, "model=nowhere"], cwd=copy, capture_output=True, text=True, check=False
    )
    said = missing.stdout + missing.stderr
    assert missing.returncode and "nowhere/model.json: no such file" in said


def test_commands_were_found_in_every_kind():
    assert {words[0] for words in COMMANDS.values()} >= {"snakemake", "make", "python"}
    assert len(COMMANDS) > 20


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    assert links or page.name in ("tables.md", "cost.md") or page.parent.name == "config"
    for link in links:
        assert "://" not in link, link
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def overlaid(below, above):
    """Configuration files laid over each other, as Snakemake does it: section by section."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: overlaid(below.get(key), value) for key, value in above.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_yaml_of_the_documentation_is_a_valid_configuration(page):
    files = ["config.yaml"] + ["full.yaml"] * (page.name == "sources.md")
    base: dict = {}
    for file in files:
        base = overlaid(base, yaml.safe_load((ROOT / "config" / file).read_text()))
    for block in blocks(page, "yaml"):
        assert resolve(overlaid(base, yaml.safe_load(block))).runs


def test_code_of_the_head_is_a_head_that_learns_its_ends():
    torch = pytest.importorskip("torch")
    (code,) = blocks(ROOT / "docs" / "extend.md", "python")
    assert len([line for line in code.split("class ")[1].splitlines() if line.strip()]) <= 13
    scope: dict = {}
    exec(code, scope)
    head = scope["Ends"](3, 2, None)
    x_BLD = torch.arange(30.0).reshape(2, 5, 3)
    residue_BL = torch.tensor([[0, 1, 1, 1, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)
    ends = torch.cat([x_BLD[:, 1], torch.stack([x_BLD[0, 3], x_BLD[1, 1]])], 1)
    assert torch.equal(head(x_BLD, residue_BL), head.project(ends))


def test_the_container_recipe_copies_what_exists_and_runs_known_targets():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    assert copied and all((ROOT / name).exists() for names in copied for name in names)
    (target,) = re.findall(r"^RUN make (\w+)$", "\n".join(lines), re.M)
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
    version = re.search(r"^FROM python:(\d\.\d+)", "\n".join(lines), re.M)[1]
    assert version in ("3.11", "3.12", "3.13")


def test_the_catalogue_entry_and_the_citation_are_complete():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] and usage["report"]
    assert {"desc", "flags"} <= set(usage["mandatory-flags"])
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "MIT"


def test_the_rule_graph_is_current_in_its_rules(copy):
    sys.path.insert(0, str(ROOT / "workflow"))
    from draw_rulegraph import read_graph

    drawn = set(re.findall(r">(\w+)</text>", (ROOT / "docs" / "rulegraph.svg").read_text()))
    nodes, _ = read_graph(["--directory", str(copy)])
    assert drawn == set(nodes.values()), "run 'make rulegraph'"
