"""The sources of the full experiment, fetched from a server on loopback that has their layout."""

import gzip
import hashlib
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT, SCRIPTS, random_sequence, snakemake, working_copy
from download_script import script_arguments, wait_until
from fault_server import Fault, FaultServer, serving
from pfamformer.config import resolve
from pfamformer.sources.sites import downloads
from pfamformer.tables import read_table

FILE = "releases/Pfam38.2/pfamseq.gz"


def test_server_killed_at_random_moments_fifty_times(tmp_path):
    """The server is a process of its own that SIGKILL ends; the script goes on by itself."""
    stream = random.Random(2026)
    served = tmp_path / "served" / FILE
    served.parent.mkdir(parents=True)
    content = np.random.default_rng(50).bytes(20_000_000)
    served.write_bytes(content)
    with serving(tmp_path / "served") as first:
        port = first.server_address[1]
    (tmp_path / "md5_checksums").write_text(f"{hashlib.md5(content).hexdigest()}  pfamseq.gz\n")
    address = f"http://127.0.0.1:{port}"
    arguments = script_arguments(tmp_path, address, "--listing", tmp_path / "md5_checksums")
    command = [sys.executable, SCRIPTS / "download.py", *map(str, arguments)]
    with open(tmp_path / "log", "w") as log:
        script = subprocess.Popen(command, stderr=log)
    part = tmp_path / "state" / "pfamseq.gz.part"
    sizes = [0]
    for _ in range(50):
        lone = lone_server(tmp_path / "served", port, piece=4_000)
        # The moment is random in what has arrived: a busy machine only takes longer.
        goal = sizes[-1] + stream.randrange(1, 200_000)
        wait_until(lambda goal=goal: part.exists() and part.stat().st_size >= goal, script)
        lone.send_signal(signal.SIGKILL)
        lone.wait()
        sizes.append(part.stat().st_size)
    assert sizes == sorted(sizes) and sizes[-1] < len(content)
    with serving(tmp_path / "served", port):
        assert script.wait(60) == 0, (tmp_path / "log").read_text()[-2000:]
    found = (tmp_path / "sources" / "pfamseq.gz").read_bytes()
    assert hashlib.md5(found).digest() == hashlib.md5(content).digest()


def lone_server(folder: Path, port: int, piece: int) -> subprocess.Popen:
    command = [sys.executable, "-S", ROOT / "tests" / "fault_server.py", folder, port, piece]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def full_configuration() -> dict:
    """config/full.yaml over config/config.yaml, as Snakemake merges them."""
    merged = {}
    for name in ("config", "full"):
        merged = merge(merged, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    return merged


def merge(below: object, above: object) -> object:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: merge(below.get(key), value) for key, value in above.items()}}
    return above


def overlay(server: FaultServer, offline: str | None = None) -> dict:
    """Three chunks; every server of config/full.yaml replaced by the one on loopback.

    The configuration's checksums are those of the real files, which the tests do not have: they are
    taken out, so that the lists of checksums judge.
    """
    sites = full_configuration()["sources"]["pfam"]["sites"]
    moved = {
        name: {
            "mirrors": [f"{server.address}/{mirror.split('://')[1]}" for mirror in site["mirrors"]],
            "files": {target: {"size": None, "checksum": None} for target in site["files"]},
        }
        for name, site in sites.items()
    }
    transfer = {"first_wait": 0.01, "longest_wait": 0.1, "attempts": 5}
    pfam = {"sites": moved, "transfer": transfer, "offline": offline}
    return {"project": "loopback", "sources": {"uniparc_chunks": 3, "pfam": pfam}}


def published(folder: Path, server: FaultServer) -> dict[str, bytes]:
    """Every file of config/full.yaml on each of its mirrors in ``folder``; contents by name."""
    stream = np.random.default_rng(382)
    project = resolve(merge(full_configuration(), overlay(server)))
    contents, lists = {}, {}
    for name, download in downloads(project.sources).items():
        places = {folder / url.removeprefix(server.address + "/") for url in download.urls}
        if name.startswith("checksums/"):
            lists[name.split("/")[1]] = sorted(places)
            continue
        contents[name] = content_of(name, stream)
        for path in places:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[name])
    for path in lists["pfam"]:
        path.write_bytes(md5sum(path.parent))
    for path in lists["uniparc"]:
        path.write_text(metalink(path.parent))
    assert set(lists) == {"pfam", "uniparc"}
    return contents


def content_of(name: str, stream: np.random.Generator) -> bytes:
    if name == "Pfam-A.seed.gz":
        return gzip.compress(seed_alignments(proteins()).encode())
    if name == "pfamseq.gz":
        return gzip.compress("".join(f">{k} X\n{v}\n" for k, v in proteins().items()).encode())
    if name == "Pfam-A.clans.tsv.gz":
        return gzip.compress(b"PF00001\tCL0192\tGPCR_A\tF1\tone\nPF00002\t\t\tF2\ttwo\n")
    return stream.bytes(int(stream.integers(1_000, 200_000)))


def proteins() -> dict[str, str]:
    stream = np.random.default_rng(7)
    return {f"P{i:05d}.1": random_sequence(stream, 90) for i in range(40)}


def seed_alignments(proteins: dict[str, str]) -> str:
    """Two families of twenty domains each, residues 11 to 70 of each protein."""
    text = ""
    for family in (1, 2):
        rows = [f"{p}/11-70   {s[10:70]}\n" for p, s in list(proteins.items())[family % 2 :: 2]]
        head = f"# STOCKHOLM 1.0\n#=GF ID   F{family}\n#=GF AC   PF0000{family}.1\n"
        text += head + f"#=GF SQ   {len(rows)}\n" + "".join(rows) + "//\n"
    return text


def md5sum(folder: Path) -> bytes:
    """What md5sum says of the files in a folder: the format of Pfam's list."""
    names = sorted(p.name for p in folder.iterdir())
    return subprocess.run(["md5sum", *names], cwd=folder, capture_output=True, check=True).stdout


def metalink(folder: Path) -> str:
    """The UniParc chunks of a folder as UniProt lists them."""
    files = "".join(
        f'<file name="{p.name}"><size>{p.stat().st_size}</size><verification><hash type="md5">'
        f"{hashlib.md5(p.read_bytes()).hexdigest()}</hash></verification></file>"
        for p in sorted(folder.glob("uniparc_active_p*.fasta.gz"))
    )
    return (
        '<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/">'
        f"<version>2026_01</version><files>{files}</files></metalink>"
    )


def run(copy: Path, settings: dict, *arguments: object) -> subprocess.CompletedProcess:
    (copy / "loopback.yaml").write_text(yaml.safe_dump(settings))
    files = ("--configfile", "config/full.yaml", "loopback.yaml")
    return snakemake(copy, *arguments, "--cores", 2, "--show-failed-logs", *files)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A working copy, and the server with all files in place."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    copy = working_copy(tmp_path / "copy")
    served = tmp_path / "served"
    served.mkdir()
    with serving(served) as server:
        server.contents = published(served, server)
        yield copy, server


def test_sources_of_the_full_experiment(site):
    copy, server = site
    # The first answer of every server is trouble of one kind or another.
    paths = [f"/{p.relative_to(server.folder)}" for p in server.folder.rglob("*") if p.is_file()]
    kinds = [Fault(503), Fault(cut=500), Fault(ranges=False, cut=500), Fault(404), Fault(500)]
    for number, path in enumerate(sorted(paths)):
        server.faults[path].append(kinds[number % len(kinds)])
    ended = run(copy, overlay(server), "sources", "domains")
    assert ended.returncode == 0, ended.stderr[-4000:]
    results = copy / "results" / "loopback"
    for name, content in server.contents.items():
        assert (results / "sources" / name).read_bytes() == content, name
    assert not list((results / "state").rglob("*.part*"))
    domains = read_table("domains", results / "domains" / "domains.parquet")
    assert len(domains) == 40 and set(domains["clan"]) == {"CL0192", ""}
    assert len(read_table("proteins", results / "domains" / "proteins.parquet")) == 40
    assert downloads_planned(run(copy, overlay(server), "sources", "-n")) == 0
    moved_again = overlay(server)
    for part in moved_again["sources"]["pfam"]["sites"].values():
        part["mirrors"].reverse()
    # Another order of mirrors fetches nothing again; another file does.
    assert downloads_planned(run(copy, moved_again, "sources", "-n")) == 0
    sites = moved_again["sources"]["pfam"]["sites"]
    path = "scopeseq-2.07/astral-scopedom-seqres-gd-sel-gs-bib-40-2.07.fa"
    sites["scope"]["files"]["scope/astral-40.fa"]["path"] = path
    assert downloads_planned(run(copy, moved_again, "sources", "-n")) == 1
    sites["pfam"]["release"] = "Pfam39.0"
    # The list of checksums and the four files of the other release.
    assert downloads_planned(run(copy, moved_again, "sources", "-n")) == 6


def downloads_planned(planned: subprocess.CompletedProcess) -> int:
    text = planned.stdout + planned.stderr
    assert planned.returncode == 0, text
    # The table of jobs is printed before and after the jobs.
    return int(next(iter(re.findall(r"^download +(\d+)$", text, re.M)), 0))


def test_a_failed_download_says_why_and_continues_later(site):
    copy, server = site
    path = next(f"/{p.relative_to(server.folder)}" for p in server.folder.rglob("pfamseq.gz"))
    server.always[path] = Fault(404)
    # config/full.yaml names this server twice, by https and http: on loopback that is one address.
    ended = run(copy, overlay(server), "results/loopback/sources/pfamseq.gz")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "error: pfamseq.gz: no mirror has it" in said and "HTTP 404" in said
    server.always[path] = Fault(500)
    server.faults[path].append(Fault(cut=100))
    ended = run(copy, overlay(server), "results/loopback/sources/pfamseq.gz")
    assert (
        ended.returncode == 1 and "attempts in a row brought nothing" in ended.stdout + ended.stderr
    )
    del server.always[path]
    ended = run(copy, overlay(server), "results/loopback/sources/pfamseq.gz")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert server.ranges_of(path)[-1] == "bytes=100-"


def test_offline_folder(site):
    copy, server = site
    folder = copy / "fetched"
    for name, content in server.contents.items():
        path = folder / Path(name).name  # flat
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for name in ("md5_checksums", "RELEASE.metalink"):
        (folder / name).write_bytes(next(server.folder.rglob(name)).read_bytes())
    before = len(server.requests)
    ended = run(copy, overlay(server, offline="fetched"), "sources")
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert len(server.requests) == before
    sources = copy / "results" / "loopback" / "sources"
    assert (sources / "structures" / "3TGI.cif.gz").read_bytes() == server.contents[
        "structures/3TGI.cif.gz"
    ]
    (folder / "pfamseq.gz").write_bytes(b"spoilt")
    (sources / "pfamseq.gz").unlink()
    ended = run(copy, overlay(server, offline="fetched"), "results/loopback/sources/pfamseq.gz")
    assert ended.returncode == 1
    assert "expected md5:" in ended.stdout + ended.stderr
