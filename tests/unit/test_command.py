import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import ROOT, SCRIPTS, random_sequence, run_script
from pfamformer.command import atomic_path
from pfamformer.dependencies import code_of, digest
from pfamformer.errors import InputError
from pfamformer.tables import read_table, write_table


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "new" / "file"
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert not list(target.parent.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(OSError) as error, atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.filename == str(target)
    assert target.read_text() == "old"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) & stat.S_IRUSR
    assert len(list(tmp_path.iterdir())) == 1


def test_tables_have_fixed_columns(tmp_path):
    table = pd.DataFrame({"protein": ["P1.1"], "sequence": ["MKT"]})
    write_table(table, "proteins", tmp_path / "t.parquet")
    assert read_table("proteins", tmp_path / "t.parquet").equals(table)
    with pytest.raises(ValueError, match="expected"):
        write_table(table.rename(columns={"sequence": "seq"}), "proteins", tmp_path / "x")
    with pytest.raises(InputError, match=r"not those of table 'split'"):
        read_table("split", tmp_path / "t.parquet")
    (tmp_path / "bad.parquet").write_text("?")
    with pytest.raises(InputError, match=r"bad\.parquet"):
        read_table("proteins", tmp_path / "bad.parquet")


@pytest.fixture(scope="module")
def scripts() -> list[dict]:
    """Help and loaded modules of every script."""
    program = Path(__file__).parents[1] / "load_scripts.py"
    paths = sorted(SCRIPTS.glob("*.py"))
    ended = subprocess.run(
        [sys.executable, program, *paths], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
    )  # fmt: skip
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [one["script"] for one in found] == [str(path) for path in paths]
    return found


def test_code_of_a_script_is_what_python_imports(scripts):
    """The static list holds every module of the library that the script loads."""
    for one in scripts:
        script = Path(one["script"])
        loaded = {Path(path) for path in one["loaded"] if not path.endswith("__init__.py")}
        listed = {path for path in code_of(script) if path.name != "__init__.py"}
        assert loaded <= listed, (script.name, loaded - listed)
        assert listed - {script} <= loaded, (script.name, listed - loaded)


def test_digest_follows_content(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    first = digest([tmp_path / "a", tmp_path / "b"])
    os.utime(tmp_path / "a", (1, 1))
    assert digest([tmp_path / "a", tmp_path / "b"]) == first
    (tmp_path / "b").write_text("3")
    assert digest([tmp_path / "a", tmp_path / "b"]) != first


def test_scripts_are_thin_and_explain_themselves(scripts):
    for one in scripts:
        assert len(Path(one["script"]).read_text().splitlines()) <= 80, one["script"]
        assert one["status"] == 0 and len(one["help"]) > 100, one["script"]


def full_disk_available() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


@pytest.mark.skipif(not full_disk_available(), reason="mounting a small disk needs root")
def test_full_disk_is_one_clear_message(tmp_path, stream):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        kept = disk / "kept"
        kept.write_text("computed before")
        seed = tmp_path / "seed.sto"
        rows = "".join(f"P{i}.1/1-200  {random_sequence(stream, 200)}\n" for i in range(2000))
        seed.write_text(f"# STOCKHOLM 1.0\n#=GF AC PF00001.1\n{rows}//\n")
        ended = run_script(
            "parse_seed", "--seed", seed, "--domains", disk / "domains.parquet",
            "--families", disk / "f.tsv", "--rejects", disk / "r.tsv",
        )  # fmt: skip
        assert ended.returncode == 1
        assert "no space left on the disk" in ended.stderr and "Traceback" not in ended.stderr
        assert kept.read_text() == "computed before"
        assert [p.name for p in disk.iterdir()] == ["kept"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_no_machine_or_registry_in_the_repository():
    listed = subprocess.run(
        ["git", "grep", "-nIE", r"(^|[^A-Za-z0-9_.])/(root|home)/|pypi\.org|debian\.org"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    hits = [line for line in listed.stdout.splitlines() if "tests/unit/test_command.py" not in line]
    assert not hits, hits
