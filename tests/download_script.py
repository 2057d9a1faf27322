"""What tests of the script download.py share."""

import time


def script_arguments(tmp_path, address, *more):
    """The script's arguments for pfamseq.gz of a server on loopback, patient and quick."""
    path = "releases/Pfam38.2/pfamseq.gz"
    return [
        "--name", "pfamseq.gz", "--path", path, "--urls", f"{address}/{path}",
        "--attempts", 100, "--first-wait", 0.01, "--longest-wait", 0.1,
        "--state", tmp_path / "state", "--output", tmp_path / "sources" / "pfamseq.gz", *more,
    ]  # fmt: skip


def wait_until(happened, process) -> None:
    while not happened():
        assert process.poll() is None, "the script ended too early"
        time.sleep(0.002)
