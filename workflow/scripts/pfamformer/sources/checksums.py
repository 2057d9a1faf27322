"""Lists of checksums that sites publish: lines of ``md5sum``, and metalink files."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pfamformer.errors import InputError

_MD5SUM = re.compile(r"^(?P<digits>[0-9a-fA-F]{32}) [ *](?:\./)?(?P<name>\S.*)$")
# Weakest first: of several hashes of a file the last known one counts.
_ALGORITHMS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha-1": "sha1",
    "sha256": "sha256",
    "sha-256": "sha256",
}
_REMEDY = "Delete it and rerun; if it comes back, see sources.pfam.sites.*.checksums"


@dataclass(frozen=True)
class Listed:
    """What a list says about a file: size in bytes where given, ``algorithm:digits``."""

    size: int | None
    checksum: str


def read_checksums(path: str | Path, release: str | None = None) -> dict[str, Listed]:
    """Checksums by file name (without folders).

    Metalink 3 as UniProt publishes it (``RELEASE.metalink``), metalink 4 (RFC 5854), or lines of
    md5sum as Pfam publishes them (``md5_checksums``).

    Args:
        path: the list.
        release: what a metalink's ``version`` must be, where it has one and this is not None.

    Raises:
        InputError: it is neither, lists nothing, or belongs to another release.
    """
    content = Path(path).read_bytes()
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        listed = _metalink(content, path, release)
    else:
        listed = _md5sum(content.decode("utf-8", "replace"), path)
    if not listed:
        raise InputError(path, "lists no checksums", remedy=_REMEDY)
    return listed


def _md5sum(text: str, path: str | Path) -> dict[str, Listed]:
    listed = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _MD5SUM.match(line.rstrip())
        if match is None:
            raise InputError(path, "is no line of md5sum", record=f"line {number}", remedy=_REMEDY)
        listed[PurePosixPath(match["name"]).name] = Listed(None, f"md5:{match['digits'].lower()}")
    return listed


def _metalink(content: bytes, path: str | Path, release: str | None) -> dict[str, Listed]:
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(path, f"is no metalink ({error})", remedy=_REMEDY) from error
    version = root.findtext("{*}version")
    if release and version and version.strip() != release:
        raise InputError(
            path,
            f"is of release {version.strip()}, the configuration asks for {release}",
            remedy="Set sources.pfam.sites.*.release to it: the site keeps no other",
        )
    listed = {}
    for file in root.iter():
        if not file.tag.endswith("}file") and file.tag != "file":
            continue
        hashes = {
            _ALGORITHMS[node.get("type", "")]: (node.text or "").strip().lower()
            for node in file.iter()
            if node.tag.rpartition("}")[2] == "hash" and node.get("type") in _ALGORITHMS
        }
        if hashes:
            algorithm = max(hashes, key=list(_ALGORITHMS.values()).index)
            size = (file.findtext("{*}size") or "").strip()
            listed[PurePosixPath(file.get("name", "")).name] = Listed(
                int(size) if size.isdigit() else None, f"{algorithm}:{hashes[algorithm]}"
            )
    return listed


def checksum_of(path: str | Path, algorithm: str) -> str:
    """``algorithm:digits`` of a file."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
