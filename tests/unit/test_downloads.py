"""Downloads against a server on loopback that serves real layouts and fails in every known way."""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from conftest import SCRIPTS, run_script
from download_script import script_arguments, wait_until
from fault_server import Fault, serving
from pfamformer.config import TransferSettings, resolve
from pfamformer.errors import InputError
from pfamformer.sources import downloads as module
from pfamformer.sources import transfer as transfer_module
from pfamformer.sources.checksums import read_checksums
from pfamformer.sources.downloads import fetch, take_offline
from pfamformer.sources.sites import Download, downloads

FILE = "releases/Pfam38.2/pfamseq.gz"
CONTENT = np.random.default_rng(38).bytes(300_000)
OTHER = np.random.default_rng(39).bytes(300_000)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
QUICK = TransferSettings(attempts=3, first_wait=0, stall=5)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "served" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    with serving(tmp_path / "served") as running:
        yield running


@pytest.fixture
def mirror(tmp_path):
    """A second server with the same file."""
    path = tmp_path / "mirrored" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    with serving(tmp_path / "mirrored") as running:
        yield running


def wanted(*servers, checksum=MD5, size=None):
    urls = tuple(f"{server.address}/{FILE}" for server in servers)
    return Download("pfamseq.gz", FILE, urls, size=size, checksum=checksum)


def get(download, tmp_path, transfer=QUICK, **options):
    """Fetch into tmp_path; the bytes that got the name."""
    target = tmp_path / "sources" / download.name
    fetch(download, target, state=tmp_path / "state", transfer=transfer, **options)
    assert not list((tmp_path / "state").rglob("*.*")), "nothing is left behind"
    content = target.read_bytes()
    target.unlink()
    return content


def refused(download, tmp_path, transfer=QUICK, **options):
    """What is said where the file cannot be had; no file has the name."""
    target = tmp_path / "sources" / download.name
    with pytest.raises(InputError) as error:
        fetch(download, target, state=tmp_path / "state", transfer=transfer, **options)
    assert not target.exists()
    return str(error.value)


def starts(server):
    """Offsets from which the file was asked, in order."""
    return [
        0 if asked is None else int(asked.removeprefix("bytes=").rstrip("-"))
        for asked in server.ranges_of(f"/{FILE}")
    ]


def test_a_file_arrives_once_and_gets_its_name_at_the_end(server, tmp_path):
    assert get(wanted(server, size=len(CONTENT)), tmp_path) == CONTENT
    assert starts(server) == [0]


@pytest.mark.parametrize("checksum", [MD5, None])
def test_cut_in_the_middle_continues_at_the_byte(server, tmp_path, checksum):
    server.faults[f"/{FILE}"] += [Fault(cut=100_000), Fault(cut=50_000)]
    assert get(wanted(server, checksum=checksum), tmp_path) == CONTENT
    assert starts(server) == [0, 100_000, 150_000]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_trouble_of_the_moment_is_waited_for(server, tmp_path, status):
    server.faults[f"/{FILE}"] += [Fault(status), Fault(status)]
    assert get(wanted(server), tmp_path) == CONTENT


@pytest.mark.parametrize("status", [416, 503])
def test_lasting_trouble_ends_after_bounded_attempts(server, tmp_path, status):
    server.always[f"/{FILE}"] = Fault(status)
    said = refused(wanted(server), tmp_path)
    assert "3 attempts in a row brought nothing" in said and f"HTTP {status}" in said
    assert starts(server) == [0, 0, 0]


def test_waits_double_up_to_the_limit_and_heed_the_server(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    server.always[f"/{FILE}"] = Fault(500)
    patient = TransferSettings(attempts=8, first_wait=1, longest_wait=20)
    refused(wanted(server), tmp_path, patient)
    assert len(waits) == 7
    for number, wait in enumerate(waits, 1):
        assert min(0.5 * 2**number, 20) <= wait <= min(2**number, 20)
    waits.clear()
    server.always[f"/{FILE}"] = Fault(503, headers={"Retry-After": "15"})
    refused(wanted(server), tmp_path, replace_settings(patient, attempts=2))
    assert waits == [15]
    waits.clear()
    server.always[f"/{FILE}"] = Fault(503, headers={"Retry-After": "3600"})
    refused(wanted(server), tmp_path, replace_settings(patient, attempts=2))
    assert waits == [20]


def replace_settings(settings, **changes):
    return settings.model_copy(update=changes)


def test_a_mirror_without_the_file_is_asked_once(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(404)
    mirror.faults[f"/{FILE}"] += [Fault(500), Fault(cut=10)]
    assert get(wanted(server, mirror), tmp_path) == CONTENT
    assert len(starts(server)) == 1


def test_no_mirror_has_it(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = mirror.always[f"/{FILE}"] = Fault(404)
    said = refused(wanted(server, mirror), tmp_path)
    assert "no mirror has it" in said and said.count("HTTP 404") == 2
    assert server.address in said and mirror.address in said
    assert "sources.pfam.sites" in said


def test_a_part_continues_from_another_mirror_where_a_checksum_judges(server, mirror, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(cut=100_000)]
    assert get(wanted(server, mirror), tmp_path) == CONTENT
    assert starts(mirror) == [100_000]


def test_nothing_listens(tmp_path):
    nowhere = Download("pfamseq.gz", FILE, ("http://127.0.0.1:9/x",), checksum=MD5)
    said = refused(nowhere, tmp_path)
    assert "3 attempts in a row brought nothing" in said and "127.0.0.1" in said


def test_server_without_ranges_sends_all_again(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(ranges=False)
    server.faults[f"/{FILE}"] += [Fault(cut=100_000, ranges=False)]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server) == [0, 100_000, 0]


def test_server_without_ranges_that_always_cuts_is_given_up(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(cut=100_000, ranges=False)
    assert "attempts in a row brought nothing" in refused(wanted(server), tmp_path)
    assert len(starts(server)) < 30


def test_a_mirror_with_ranges_is_preferred_to_starting_again(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(cut=100_000, ranges=False)
    mirror.faults[f"/{FILE}"] += [Fault(500), Fault(cut=100_000)]
    assert get(wanted(server, mirror), tmp_path) == CONTENT
    assert 0 not in starts(mirror)


def test_a_mirror_without_ranges_is_used_when_the_other_is_gone(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(500)
    server.faults[f"/{FILE}"] += [Fault(cut=100_000)]
    mirror.always[f"/{FILE}"] = Fault(ranges=False)
    assert get(wanted(server, mirror), tmp_path) == CONTENT
    assert starts(mirror)[-1] == 0


def test_wrong_checksum_once_means_another_full_download(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(content=OTHER)]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server) == [0, 0]


def test_a_spoilt_part_means_a_fresh_download(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(content=OTHER, cut=1000)]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server) == [0, 1000, 0]


def test_a_stale_mirror_is_passed_over(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(content=OTHER)
    assert get(wanted(server, mirror), tmp_path) == CONTENT


def test_wrong_checksum_everywhere_is_refused(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(content=OTHER)
    said = refused(wanted(server), tmp_path)
    assert hashlib.md5(OTHER).hexdigest() in said and MD5 in said
    assert "arrived whole 2 times" in said
    assert not (tmp_path / "state" / "pfamseq.gz.part").exists()


def test_size_changes_between_attempts(server, tmp_path):
    longer = CONTENT + b"more"
    server.faults[f"/{FILE}"] += [Fault(content=OTHER[:200_000], cut=1000)]
    server.always[f"/{FILE}"] = Fault(content=longer)
    assert get(wanted(server, checksum=None), tmp_path) == longer
    server.faults[f"/{FILE}"] += [Fault(content=OTHER[:200_000], cut=1000)]
    checksum = f"sha256:{hashlib.sha256(longer).hexdigest()}"
    assert get(wanted(server, checksum=checksum), tmp_path) == longer


def test_size_that_keeps_changing_is_refused(server, tmp_path):
    server.faults[f"/{FILE}"] = deque(
        Fault(content=CONTENT[: 200_000 + 10 * n], cut=1000) for n in range(100)
    )
    said = refused(wanted(server), tmp_path)
    assert "the size of the file changed while it was fetched (200,000 → 200,010" in said
    assert len(starts(server)) < 10


def test_changed_content_of_the_same_size_is_never_joined_without_a_checksum(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(cut=100_000)]
    server.always[f"/{FILE}"] = Fault(content=OTHER)
    assert get(wanted(server, checksum=None), tmp_path) == OTHER


def test_announced_size_that_is_not_the_expected_one(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(content=CONTENT[:1000])
    assert get(wanted(server, mirror, size=len(CONTENT)), tmp_path) == CONTENT
    said = refused(wanted(server, size=len(CONTENT)), tmp_path)
    assert "has 1,000 bytes, expected 300,000" in said
    server.always[f"/{FILE}"] = Fault(content=b"")
    assert "has 0 bytes" in refused(wanted(server, size=len(CONTENT)), tmp_path)


def test_a_length_that_was_not_announced_is_checked_at_the_end(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(content=CONTENT[:1000], chunked=True)
    known = wanted(server, mirror, checksum=None, size=len(CONTENT))
    assert get(known, tmp_path) == CONTENT
    said = refused(wanted(server, checksum=None, size=len(CONTENT)), tmp_path)
    assert "arrived whole 2 times" in said and "has 1,000 bytes, expected 300,000" in said


def test_disk_full_while_writing(server, tmp_path):
    """/dev/full is a disk without space: the kernel answers every write with ENOSPC."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "pfamseq.gz.part").symlink_to("/dev/full")
    notes = {"identity": f"{FILE} {MD5}"}
    (state / "pfamseq.gz.part.json").write_text(json.dumps(notes))
    said = refused(wanted(server), tmp_path)
    assert "no space left on the disk" in said and "Free some" in said and "is kept" in said
    assert len(starts(server)) == 1, "a full disk is no reason to ask again"


def test_a_file_that_cannot_fit_is_not_begun(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(claim=10**17)
    said = refused(wanted(server), tmp_path)
    assert "no space left on the disk: 100000.0 TB still to come" in said
    assert not (tmp_path / "state" / "pfamseq.gz.part").stat().st_size


def test_length_unknown(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(chunked=True)]
    assert get(wanted(server, checksum=None), tmp_path) == CONTENT
    server.faults[f"/{FILE}"] += [Fault(chunked=True, cut=100_000)]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server) == [0, 0, 100_000]


def test_a_whole_part_needs_no_server(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(cut=len(CONTENT) - 1), Fault(404)]
    refused(wanted(server), tmp_path)
    part = tmp_path / "state" / "pfamseq.gz.part"
    part.write_bytes(CONTENT)
    before = len(server.requests)
    assert get(wanted(server), tmp_path) == CONTENT
    assert len(server.requests) == before


@pytest.mark.parametrize("total", [None, len(CONTENT), 10**6])
def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path, total):
    state = tmp_path / "state"
    state.mkdir()
    (state / "pfamseq.gz.part").write_bytes(CONTENT + OTHER)
    notes = {"identity": f"{FILE} {MD5}", "total": total}
    (state / "pfamseq.gz.part.json").write_text(json.dumps(notes))
    assert get(wanted(server), tmp_path) == CONTENT


def test_the_next_job_continues_the_last_ones_part(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(500)
    server.faults[f"/{FILE}"] += [Fault(cut=123_456)]
    assert "123.5 kB are kept" in refused(wanted(server), tmp_path)
    del server.always[f"/{FILE}"]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server)[-1] == 123_456


def test_a_part_of_another_release_is_not_continued(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(content=OTHER, cut=1000), *[Fault(500)] * 3]
    other = replace(wanted(server), checksum=f"md5:{hashlib.md5(OTHER).hexdigest()}")
    refused(other, tmp_path)
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(server)[-1] == 0


def test_redirects_are_followed(server, mirror, tmp_path):
    server.always[f"/{FILE}"] = Fault(location=f"{mirror.address}/{FILE}")
    mirror.faults[f"/{FILE}"] += [Fault(cut=1000)]
    assert get(wanted(server), tmp_path) == CONTENT
    assert starts(mirror) == [0, 1000]


def test_proxies_of_the_environment_are_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    away = Download("pfamseq.gz", FILE, (f"http://files.invalid/{FILE}",), checksum=MD5)
    assert get(away, tmp_path) == CONTENT
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert "127.0.0.1" in refused(away, tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert get(wanted(server), tmp_path) == CONTENT


def test_a_silent_server_is_given_up(server, tmp_path):
    server.faults[f"/{FILE}"] += [Fault(hang=30)]
    assert get(wanted(server), tmp_path, replace_settings(QUICK, stall=1)) == CONTENT
    assert len(starts(server)) == 2


def test_total_and_rate_are_shown(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(transfer_module, "_REPORT_EVERY", 0)
    server.piece = 10_000
    with caplog.at_level("INFO"):
        get(wanted(server), tmp_path)
    lines = [r.getMessage() for r in caplog.records]
    assert any("of 300.0 kB (" in line and "B/s" in line for line in lines)
    assert "300.0 kB arrived in" in lines[-1] and lines[-1].endswith("B/s")


def test_fifty_cuts_and_refusals_at_random_end_with_the_same_bytes(server, mirror, tmp_path):
    stream = random.Random(50)
    kinds = [
        lambda: Fault(cut=stream.randrange(20_000)),
        lambda: Fault(cut=0),
        lambda: Fault(stream.choice([500, 502, 503, 504, 429])),
        lambda: Fault(cut=stream.randrange(20_000), ranges=False),
        lambda: Fault(content=OTHER, cut=stream.randrange(2_000)),
        lambda: Fault(content=CONTENT[: stream.randrange(1, 300_000)], cut=100),
    ]
    weights = [10, 5, 5, 3, 1, 0.05]
    for _ in range(50):
        chosen = stream.choice([server, mirror])
        chosen.faults[f"/{FILE}"].append(stream.choices(kinds, weights)[0]())
    patient = replace_settings(QUICK, attempts=50)
    assert get(wanted(server, mirror, size=None), tmp_path, patient) == CONTENT


def test_killed_script_continues(server, tmp_path):
    server.piece = 2_000
    arguments = script_arguments(tmp_path, server.address)
    command = [sys.executable, SCRIPTS / "download.py", *map(str, arguments)]
    script = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    part = tmp_path / "state" / "pfamseq.gz.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 20_000, script)
    script.kill()
    script.wait()
    assert not (tmp_path / "sources" / "pfamseq.gz").exists()
    server.piece = None
    ended = run_script("download", *script_arguments(tmp_path, server.address))
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "sources" / "pfamseq.gz").read_bytes() == CONTENT
    assert starts(server)[-1] > 20_000


def test_script_ends_with_one_line(server, tmp_path):
    server.always[f"/{FILE}"] = Fault(404)
    ended = run_script("download", *script_arguments(tmp_path, server.address))
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: pfamseq.gz: no mirror has it")


METALINK = """<?xml version="1.0" encoding="UTF-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="static">
 <identity>UniProt Archive</identity><version>2026_01</version>
 <files>
  <file name="uniparc_active_p1.fasta.gz"><size>12</size>
   <verification><hash type="md5">0cc175b9c0f1b6a831c399e269772661</hash></verification>
   <resources><url type="https">https://example.org/uniparc_active_p1.fasta.gz</url></resources>
  </file>
  <file name="uniparc_active_p2.fasta.gz"><size>13</size>
   <verification><hash type="md5">92EB5FFEE6AE2FEC3AD71C777531578F</hash>
   <pieces length="5" type="sha1"><hash piece="0">00</hash></pieces></verification>
  </file>
 </files>
</metalink>"""
METALINK_4 = """<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a/b.gz"><size>5</size>
<hash type="md5">0cc175b9c0f1b6a831c399e269772661</hash>
<hash type="sha-256">ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb</hash>
</file></metalink>"""


def test_lists_of_checksums(tmp_path):
    path = tmp_path / "list"
    path.write_text(METALINK)
    listed = read_checksums(path, "2026_01")
    assert set(listed) == {"uniparc_active_p1.fasta.gz", "uniparc_active_p2.fasta.gz"}
    assert listed["uniparc_active_p2.fasta.gz"].size == 13
    assert listed["uniparc_active_p2.fasta.gz"].checksum == f"md5:{hashlib.md5(b'b').hexdigest()}"
    path.write_text(METALINK_4)
    assert read_checksums(path)["b.gz"].checksum == f"sha256:{hashlib.sha256(b'a').hexdigest()}"
    (tmp_path / "Pfam-A.seed.gz").write_bytes(CONTENT)
    said = subprocess.run(["md5sum", "./Pfam-A.seed.gz"], cwd=tmp_path, capture_output=True)
    path.write_bytes(said.stdout + said.stdout.replace(b"  ./Pfam", b" *Pfam"))
    assert read_checksums(path)["Pfam-A.seed.gz"].checksum == MD5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (METALINK, "is of release 2026_01, the configuration asks for 2025_04"),
        (METALINK[:500], "is no metalink"),
        ("<html><body>Not here</body></html>", "lists no checksums"),
        ("", "lists no checksums"),
        ("Welcome to the FTP site", "line 1: is no line of md5sum"),
    ],
)
def test_bad_lists_of_checksums(tmp_path, content, message):
    (tmp_path / "list").write_text(content)
    with pytest.raises(InputError, match=message):
        read_checksums(tmp_path / "list", "2025_04")


def test_the_sites_list_judges_what_is_not_pinned(server, tmp_path):
    listing = tmp_path / "md5_checksums"
    listing.write_text(f"{MD5.removeprefix('md5:')}  pfamseq.gz\n")
    server.faults[f"/{FILE}"] += [Fault(content=OTHER)]
    assert get(wanted(server, checksum=None), tmp_path, listing=listing) == CONTENT
    server.always[f"/{FILE}"] = Fault(content=OTHER)
    said = refused(wanted(server, checksum=None), tmp_path, listing=listing)
    assert f"delete {listing} and rerun" in said
    listing.write_text(f"{MD5.removeprefix('md5:')}  Pfam-A.seed.gz\n")
    said = refused(wanted(server, checksum=None), tmp_path, listing=listing)
    assert "md5_checksums: does not list pfamseq.gz" in said


@pytest.mark.parametrize("place", ["pfamseq.gz", "deep/pfamseq.gz"])
def test_offline_files_are_checked_and_linked(tmp_path, place):
    name = "deep/pfamseq.gz"
    download = Download(name, FILE, ("https://example.org/x",), checksum=MD5)
    folder, target = tmp_path / "folder", tmp_path / "sources" / name
    with pytest.raises(InputError, match=r"deep/pfamseq.gz is not there.*example.org"):
        take_offline(download, target, folder=folder, listing=None)
    (folder / place).parent.mkdir(parents=True)
    (folder / place).write_bytes(OTHER)
    with pytest.raises(InputError, match=f"is md5:.*, expected {MD5}"):
        take_offline(download, target, folder=folder, listing=None)
    with pytest.raises(InputError, match="has 300,000 bytes, expected 7"):
        take_offline(replace(download, size=7), target, folder=folder, listing=None)
    assert not target.exists()
    (folder / place).write_bytes(CONTENT)
    take_offline(download, target, folder=folder, listing=None)
    assert target.is_symlink() and target.read_bytes() == CONTENT


def sources(own=None, **site):
    """Settings of a project with one site, as a configuration file gives them."""
    files = {name: {"path": f"{{release}}/{name}"} for name in ("Pfam-A.seed.gz", "pfamseq.gz")}
    given = {"release": "Pfam38.2", "mirrors": ["https://example.org/"], "files": files, **site}
    pretrain = {
        "corpus": "pfam_domains", "steps": 1, "tokens_per_batch": 64, "learning_rate": 0.1,
        "network": {"layers": 1, "width": 8, "heads": 1, "feed_forward": 8},
    }  # fmt: skip
    pfam = {"structures": ["3TGI"], "sites": {"pfam": given}}
    return resolve(
        {
            "sources": {"provider": "pfam", "pfam": pfam, "uniparc_chunks": 2, "families": own},
            "defaults": {"pretrain": pretrain},
            "runs": {"small": {"kind": "pretrain"}},
        }
    ).sources


def test_names_with_placeholders():
    found = downloads(
        sources(
            checksums="{release}/md5_checksums",
            mirrors=["http://a", "http://b/"],
            files={
                "Pfam-A.seed.gz": {"path": "s"},
                "pfamseq.gz": {"path": "{release}/p", "size": 7},
                "uniparc/uniparc_active_p{chunk}.fasta.gz": {"path": "p{chunk}.gz"},
                "structures/{id}.cif.gz": {"path": "{middle}/{lower}.cif.gz"},
            },
        )
    )
    urls = {name: download.urls for name, download in found.items()}
    assert urls == {
        "checksums/pfam/md5_checksums": (
            "http://a/Pfam38.2/md5_checksums", "http://b/Pfam38.2/md5_checksums",
        ),
        "Pfam-A.seed.gz": ("http://a/s", "http://b/s"),
        "pfamseq.gz": ("http://a/Pfam38.2/p", "http://b/Pfam38.2/p"),
        "uniparc/uniparc_active_p1.fasta.gz": ("http://a/p1.gz", "http://b/p1.gz"),
        "uniparc/uniparc_active_p2.fasta.gz": ("http://a/p2.gz", "http://b/p2.gz"),
        "structures/3TGI.cif.gz": ("http://a/tg/3tgi.cif.gz", "http://b/tg/3tgi.cif.gz"),
    }  # fmt: skip
    assert found["pfamseq.gz"].size == 7
    assert found["pfamseq.gz"].listing == "checksums/pfam/md5_checksums"


def test_own_families_need_no_seed_from_a_site():
    found = sources({"file": "mine.fa"}, files={"go/go.obo": {"path": "go.obo"}})
    assert list(downloads(found)) == ["go/go.obo"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mirrors": []}, "sources.pfam.sites.pfam.mirrors: "),
        ({"mirrors": ["ftp://example.org"]}, "sources.pfam.sites.pfam.mirrors.0: "),
        ({"files": {"x": {"path": "x"}}}, "sources.pfam.sites: no site has Pfam-A.seed.gz"),
        (
            {"files": {"x": {"path": "{relase}/x"}}},
            "sources.pfam.sites: unknown {relase}",
        ),
        ({"files": {"../x": {"path": "x"}}}, "sources.pfam.sites.pfam.files."),
        ({"files": {"x": {"path": "x", "checksum": "md5:1"}}}, "files.x.checksum: "),
        ({"release": None}, "sources.pfam.sites: unknown {release} in a path"),
    ],
)
def test_bad_sites(change, message):
    with pytest.raises(InputError) as error:
        sources(**change)
    assert message in str(error.value)
