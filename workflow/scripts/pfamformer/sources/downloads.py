"""Whole, verified files from the databases' servers, or from a folder of what was fetched before.

A file keeps arriving, from one mirror or another, until it is whole; then its checksum is compared
and only then does it get its name. Nothing that has arrived is thrown away without a reason: a cut,
a killed job or a full disk costs only what was still missing.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pfamformer.command import atomic_path, log
from pfamformer.errors import InputError
from pfamformer.sources.checksums import Listed, checksum_of, read_checksums
from pfamformer.sources.sites import Download
from pfamformer.sources.transfer import (
    FREE_SOME,
    CutOffError,
    NotResumableError,
    Partial,
    RefusedError,
    ResizedError,
    attempt,
    shown,
)

if TYPE_CHECKING:
    from pfamformer.config import TransferSettings

# A file that is being published may change once or twice while it is fetched; if its size changes
# more often, the mirrors disagree.
_MOST_RESIZES = 2


def expectation(download: Download, listing: str | Path | None) -> Listed | None:
    """What the file must look like: the configuration's word first, then the site's list.

    Raises:
        InputError: the site's list does not name the file.
    """
    if listing is None:
        return Listed(download.size, download.checksum) if download.checksum else None
    listed = read_checksums(listing, download.release)
    name = PurePosixPath(download.path).name
    if download.checksum:
        known = listed.get(name)
        return Listed(download.size or (known.size if known else None), download.checksum)
    if name not in listed:
        raise InputError(
            listing,
            f"does not list {name}",
            remedy="Another release? Or move the file to a site without a list of checksums",
        )
    return Listed(download.size or listed[name].size, listed[name].checksum)


def fetch(
    download: Download,
    destination: str | Path,
    *,
    state: str | Path,
    transfer: TransferSettings,
    listing: str | Path | None = None,
) -> None:
    """Put the file at ``destination``: from any mirror, whole, of the right size and checksum.

    Args:
        state: folder in which what has arrived waits for the next attempt, in this run or another.
        listing: the site's list of checksums, already fetched.

    Raises:
        InputError: no mirror has it; all attempts failed; size or checksum is wrong on every
            mirror; the disk is full.
    """
    expected = expectation(download, listing)
    size = expected.size if expected else download.size
    checksum = expected.checksum if expected else None
    partial = Partial(Path(state) / f"{download.name}.part", f"{download.path} {checksum}")
    arrival = _Arrival(download, partial, size=size, verified=checksum is not None)
    for _ in range(_passes(download)):
        try:
            arrival.complete(transfer)
        except OSError as error:
            if not _is_full(error):
                raise
            raise _full(partial, error) from error
        wrong = _wrong(partial, size, checksum)
        if wrong is None:
            if checksum is None:
                log.info("%s: no checksum is known; only its length was checked", download.name)
            _move(partial, Path(destination))
            return
        log.info("%s: %s: once more from the start", download.name, wrong)
        arrival.start_again()
        arrival.mirrors.next()
    raise InputError(
        download.name,
        f"arrived whole {_passes(download)} times from {', '.join(download.urls)}, but {wrong}",
        remedy=_stale(download, listing),
    )


def _wrong(partial: Partial, size: int | None, checksum: str | None) -> str | None:
    """What is wrong with the whole file, None if nothing is."""
    if size is not None and partial.size != size:
        return f"it has {partial.size:,} bytes, expected {size:,}"
    found = checksum and checksum_of(partial.path, checksum.partition(":")[0])
    return None if found == checksum else f"it is {found}, expected {checksum}"


def _passes(download: Download) -> int:
    """Whole downloads before a wrong checksum is believed: each mirror, at least one afresh."""
    return max(2, len(download.urls))


def _stale(download: Download, listing: str | Path | None) -> str:
    if download.checksum:
        return f"Is the checksum of {download.name} in the configuration that of this release?"
    return f"The site may have published a new release: delete {listing} and rerun, or try a mirror"


class _Mirrors:
    """The addresses of a file that are still worth asking, in turn, and why others are not."""

    def __init__(self, download: Download) -> None:
        self._name = download.name
        self._alive = list(download.urls)
        self._reasons: dict[str, str] = {}
        self._not_resuming: set[str] = set()

    @property
    def current(self) -> str:
        return self._alive[0]

    def next(self) -> None:
        """Turn to the next one."""
        self._alive.append(self._alive.pop(0))

    def failed(self, reason: object) -> None:
        """Keep the reason of the last failure and turn to the next."""
        self._reasons[self.current] = f"{reason}"
        self.next()

    def drop(self, reason: object) -> None:
        """Never ask the current one again.

        Raises:
            InputError: it was the last one.
        """
        self._reasons[self.current] = f"{reason}"
        self._alive.pop(0)
        if not self._alive:
            raise InputError(
                self._name,
                f"no mirror has it: {self.reasons}",
                remedy="Check the addresses and the release of its site in sources.pfam.sites",
            )

    def cannot_resume(self) -> bool:
        """The current one sends only from the start. Whether all do: then the part is useless."""
        self._not_resuming.add(self.current)
        if not self._not_resuming.issuperset(self._alive):
            self.next()
            return False
        return True

    @property
    def offer_a_fresh_start(self) -> bool:
        """Whether one of them would send the file, but only from its start."""
        return bool(self._not_resuming)

    def start_again(self) -> None:
        """There is no part any more that one of them could not continue."""
        self._not_resuming.clear()

    @property
    def reasons(self) -> str:
        return "; ".join(f"{url} ({reason})" for url, reason in self._reasons.items())


class _Arrival:
    """A file on its way: the part that is here, who may bring the rest, and for how long to try."""

    def __init__(
        self, download: Download, partial: Partial, *, size: int | None, verified: bool
    ) -> None:
        self.mirrors = _Mirrors(download)
        self._partial, self._size, self._verified = partial, size, verified
        self._name = download.name
        self._jitter = random.Random(download.name)
        self._sizes: list[int] = []
        self._fruitless, self._furthest, self._restarted = 0, partial.size, False

    def complete(self, transfer: TransferSettings) -> None:
        """Let the file arrive until it is whole. Every new byte earns new attempts."""
        self._fruitless, self._furthest, self._restarted = 0, self._partial.size, False
        while not _is_whole(self._partial, self._size):
            url = self.mirrors.current
            try:
                attempt(
                    url,
                    self._partial,
                    expected=self._size,
                    verified=self._verified,
                    stall=transfer.stall,
                )
                return
            except NotResumableError as reason:
                log.info("%s: %s", url, reason)
                if self.mirrors.cannot_resume():
                    self.start_again()
            except ResizedError as change:
                log.info("%s: %s: once more from the start", url, change)
                self._resized(change)
            except RefusedError as reason:
                log.info("%s: %s", url, reason)
                self.mirrors.drop(reason)
            except CutOffError as reason:
                log.info("%s: %s after %s", url, reason, shown(self._partial.size))
                self.mirrors.failed(reason)
                self._cut_off(reason.wait, transfer)

    def start_again(self) -> None:
        """Forget what has arrived."""
        self._partial.discard()
        self.mirrors.start_again()

    def _resized(self, change: ResizedError) -> None:
        self._sizes += [change.before, change.now]
        self.start_again()
        if len(self._sizes) > 2 * _MOST_RESIZES:
            raise _unsteady(self.mirrors.current, self._sizes) from change

    def _cut_off(self, asked: float, transfer: TransferSettings) -> None:
        """Wait, or give up."""
        fruitful = self._partial.size > self._furthest
        self._fruitless = 0 if fruitful else self._fruitless + 1
        self._furthest = max(self._furthest, self._partial.size)
        if self._fruitless >= transfer.attempts:
            if self._restarted or not self.mirrors.offer_a_fresh_start:
                raise InputError(
                    self._name,
                    f"{self._fruitless} attempts in a row brought nothing: {self.mirrors.reasons}",
                    remedy=f"Check the connection and rerun: {shown(self._partial.size)} are kept",
                )
            # Only those who could continue the part are gone.
            self._fruitless, self._restarted = 0, True
            self.start_again()
        time.sleep(_back_off(self._fruitless, asked, self._jitter, transfer))


def _is_whole(partial: Partial, size: int | None) -> bool:
    """Whether everything is here; more than everything is a part of something else."""
    total = size or partial.total
    if total is not None and partial.size > total:
        partial.discard()
    return total is not None and partial.size == total


def _back_off(
    fruitless: int, asked: float, jitter: random.Random, transfer: TransferSettings
) -> float:
    """Seconds to wait, doubled with each failure in a row.

    Up to half of it is left to chance, so that many jobs do not come back at once; it is never less
    than the server asked for, within the limit.
    """
    wait = transfer.first_wait * 2 ** min(fruitless, 60) * jitter.uniform(0.5, 1.0)
    return min(max(wait, asked), transfer.longest_wait)


def _unsteady(url: str, sizes: Sequence[int]) -> InputError:
    history = " → ".join(f"{n:,}" for n in dict.fromkeys(sizes))
    return InputError(
        url,
        f"the size of the file changed while it was fetched ({history} bytes)",
        remedy="It is being published, or the mirrors hold different releases: name a release or "
        "keep one mirror in sources.pfam.sites, and rerun",
    )


def _is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _full(partial: Partial, error: OSError) -> InputError:
    left = f" of {shown(partial.total)}" if partial.total else ""
    return InputError(
        partial.path,
        f"no space left on the disk after {shown(partial.size)}{left} ({os.strerror(error.errno)})",
        remedy=FREE_SOME,
    )


def _move(partial: Partial, destination: Path) -> None:
    """Give the file its name; by a copy where results/ spans several disks."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(partial.path, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_path(destination) as temporary:
            shutil.copyfile(partial.path, temporary)
    partial.discard()


def take_offline(
    download: Download, destination: str | Path, *, folder: str | Path, listing: str | Path | None
) -> None:
    """Link the file out of ``folder`` to ``destination``, checked like one that was fetched.

    Raises:
        InputError: it is not there, or of another size or checksum.
    """
    found = find_offline(download, folder)
    expected = expectation(download, listing)
    size = expected.size if expected else download.size
    if size is not None and found.stat().st_size != size:
        raise InputError(
            found,
            f"has {found.stat().st_size:,} bytes, expected {size:,}",
            remedy="Fetch it again",
        )
    if expected is not None:
        checksum = checksum_of(found, expected.checksum.partition(":")[0])
        if checksum != expected.checksum:
            raise InputError(
                found, f"is {checksum}, expected {expected.checksum}", remedy="Fetch it again"
            )
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    link = destination.with_name(f".{destination.name}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(found.resolve())
    os.replace(link, destination)


def find_offline(download: Download, folder: str | Path) -> Path:
    """The file in a folder that is laid out like ``sources`` or flat.

    Raises:
        InputError: it is not there.
    """
    for candidate in (Path(folder) / download.name, Path(folder) / Path(download.name).name):
        if candidate.is_file():
            return candidate
    raise InputError(
        folder,
        f"{download.name} is not there, neither under this name nor as {Path(download.name).name}",
        remedy=f"Put it there (from {download.urls[0]}), or take it out of sources.pfam.sites",
    )
