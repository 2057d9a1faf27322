"""Which files the configured sites hold: names, addresses, and what each must look like."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pfamformer.config import PfamSettings, RemoteFile, SiteSettings, SourcesSettings

_REQUIRED = ("Pfam-A.seed.gz", "pfamseq.gz")
_UNIPARC = "uniparc/uniparc_active_p{}.fasta.gz"


@dataclass(frozen=True)
class Download:
    """One file of a site.

    Attributes:
        name: path below ``results/<project>/sources``.
        path: path below each mirror's address: its identity, with size and checksum.
        urls: where it is, preferred first.
        size: bytes it must have, None where unknown.
        checksum: ``algorithm:digits`` it must have, None where not pinned.
        listing: name of the download that lists the site's checksums.
        release: release that a metalink must name.
    """

    name: str
    path: str
    urls: tuple[str, ...]
    size: int | None = None
    checksum: str | None = None
    listing: str | None = None
    release: str | None = None


def downloads(sources: SourcesSettings) -> dict[str, Download]:
    """All files of all sites by name, the lists of checksums among them."""
    return {download.name: download for download in _all(sources)}


def what_is_fetched(download: Download) -> str:
    """Arguments of ``download.py`` that say which file it is, whoever brings it."""
    given = {
        "--name": download.name,
        "--path": download.path,
        "--size": download.size,
        "--checksum": download.checksum,
        "--release": download.release,
    }
    return " ".join(f"{k} {shlex.quote(str(v))}" for k, v in given.items() if v is not None)


def where_it_is(download: Download, settings: PfamSettings) -> str:
    """Arguments of ``download.py`` that say where a file is and how patiently it is fetched."""
    words = ["--urls", *download.urls]
    words += ["--offline", settings.offline] if settings.offline else []
    for key, value in settings.transfer:
        words += [f"--{key.replace('_', '-')}", str(value)]
    return shlex.join(words)


def problems(sources: SourcesSettings, reads_uniparc: bool) -> list[str]:
    """What is wrong with the configured sites, one line each."""
    try:
        found = Counter(download.name for download in _all(sources))
    except (KeyError, IndexError, ValueError) as error:
        return [f"sources.pfam.sites: {_reason(error)}"]
    needed = [] if sources.families else [*_REQUIRED]
    if reads_uniparc:
        needed += [_UNIPARC.format(i) for i in range(1, sources.uniparc_chunks + 1)]
    missing = [name for name in needed if name not in found]
    several = [name for name, count in found.items() if count > 1]
    return [
        *(f"sources.pfam.sites: no site has {name}" for name in missing[:1]),
        *(f"sources.pfam.sites: several files are called {name}" for name in several),
    ]


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"unknown {{{error.args[0]}}} in a path; known: release, chunk, id, lower, middle"
    return f"braces in a path that do not match ({error})"


def _all(sources: SourcesSettings) -> Iterator[Download]:
    for name, site in sources.pfam.sites.items():
        listing = None
        if site.checksums:
            path = _filled(site.checksums, site, {})
            listing = f"checksums/{name}/{PurePosixPath(path).name}"
            yield Download(listing, path, _urls(site, path), release=site.release)
        for target, file in site.files.items():
            for values in _expansions(target, sources):
                yield _download(site, target, file, values, listing)


def _download(
    site: SiteSettings,
    target: str,
    file: RemoteFile,
    values: dict[str, object],
    listing: str | None,
) -> Download:
    path = _filled(file.path, site, values)
    return Download(
        name=_filled(target, site, values),
        path=path,
        urls=_urls(site, path),
        size=file.size,
        checksum=file.checksum,
        listing=listing,
        release=site.release,
    )


def _filled(template: str, site: SiteSettings, values: dict[str, object]) -> str:
    known = {**values, **({"release": site.release} if site.release else {})}
    return template.format(**known)


def _urls(site: SiteSettings, path: str) -> tuple[str, ...]:
    return tuple(f"{mirror.rstrip('/')}/{path}" for mirror in site.mirrors)


def _expansions(target: str, sources: SourcesSettings) -> list[dict[str, object]]:
    """What the placeholders of a name stand for, one dictionary per file."""
    if "{chunk}" in target:
        return [{"chunk": i} for i in range(1, sources.uniparc_chunks + 1)]
    if "{id}" in target:
        return [
            {"id": entry, "lower": entry.lower(), "middle": entry[1:3].lower()}
            for entry in sources.pfam.structures
        ]
    return [{}]
