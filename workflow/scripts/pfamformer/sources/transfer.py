"""One attempt to bring the rest of a file from one address, by libcurl.

libcurl does the transfer: connections, redirects, TLS, proxies from the environment
(``https_proxy``, ``http_proxy``, ``no_proxy``), ranges, lengths that do not add up, connections
that stall. What is here says what an attempt means for the file.
"""

from __future__ import annotations

import email.utils
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import certifi
import pycurl

from pfamformer.command import atomic_path, log
from pfamformer.errors import InputError

# Seconds between two lines of progress: a log of an hour's download stays readable.
_REPORT_EVERY = 15
# Seconds until a server must have answered the call at all; libcurl waits 300.
_CONNECT = 30
# Answers that another try cannot change. Others above 399 are the server's trouble of the moment.
_FINAL = {400, 401, 403, 404, 405, 406, 407, 410, 414, 451}
# Nor does another try change an address, or a certificate.
_HOPELESS = {
    pycurl.E_UNSUPPORTED_PROTOCOL,
    pycurl.E_URL_MALFORMAT,
    pycurl.E_TOO_MANY_REDIRECTS,
    pycurl.E_SSL_PEER_CERTIFICATE,
    pycurl.E_SSL_CACERT,
    pycurl.E_SSL_CACERT_BADFILE,
}
FREE_SOME = (
    "Free some, or make results/ a link to a larger disk, and rerun: what has arrived is kept"
)
_TOTAL = re.compile(r"^bytes \d+-\d+/(\d+)$", re.IGNORECASE)


class RefusedError(Exception):
    """This address will not bring the file, however often it is asked."""


class CutOffError(Exception):
    """The attempt ended early; another may continue. ``wait``: seconds the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class NotResumableError(Exception):
    """The address sends the file only from its start, or holds another one by now."""


class ResizedError(Exception):
    """The server announces another size than before."""

    def __init__(self, before: int, now: int) -> None:
        super().__init__(f"{before:,} bytes before, {now:,} now")
        self.before, self.now = before, now


class Partial:
    """The part of a file that has arrived, and what is known of the whole.

    It lies in a folder that Snakemake does not know, so that a retry of the job finds it.
    """

    def __init__(self, path: Path, identity: str) -> None:
        """Args: path of the data; identity: a part of anything else that lies there is removed."""
        self.path = path
        self._notes_path = path.with_name(path.name + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._notes = self._read_notes()
        if self._notes.get("identity") != identity:
            self.discard()
            self._notes = {"identity": identity}

    def _read_notes(self) -> dict:
        try:
            return json.loads(self._notes_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, as a server announced them."""
        return self._notes.get("total")

    @property
    def validator(self) -> str | None:
        """ETag or date of the version that has begun to arrive, for ``If-Range``."""
        return self._notes.get("validator")

    def note(self, total: int | None, validator: str | None) -> None:
        """Keep what the server said, before the first byte is written."""
        new = {**self._notes, "total": total or self.total, "validator": validator}
        if new != self._notes:
            self._notes = new
            with atomic_path(self._notes_path) as temporary:
                temporary.write_text(json.dumps(new), encoding="utf-8")

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
        self._notes_path.unlink(missing_ok=True)
        self._notes = {k: v for k, v in self._notes.items() if k == "identity"}


@dataclass
class _Attempt:
    """What one answer says, and its bytes on their way to the file."""

    url: str
    partial: Partial
    expected: int | None
    start: int
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    error: BaseException | None = None
    began: float = field(default_factory=time.monotonic)
    reported: float = field(default_factory=time.monotonic)

    def header(self, line: bytes) -> None:
        """Called for each header; a redirect's are forgotten when the next answer begins."""
        text = line.decode("latin-1").strip()
        if text.upper().startswith("HTTP/"):
            self.headers = {}
            self.status = int(text.split()[1])
        elif ":" in text:
            key, _, value = text.partition(":")
            self.headers[key.strip().lower()] = value.strip()

    @property
    def total(self) -> int | None:
        """Size of the whole file by this answer."""
        if self.status == 206:
            match = _TOTAL.match(self.headers.get("content-range", ""))
            return int(match[1]) if match else None
        length = self.headers.get("content-length", "")
        return int(length) if length.isdigit() else None

    @property
    def validator(self) -> str | None:
        """A strong ETag, or the date: RFC 9110 allows no weak one in ``If-Range``."""
        etag = self.headers.get("etag", "")
        return etag if etag.startswith('"') else self.headers.get("last-modified")

    def accept(self) -> None:
        """Check what the server is about to send, before the first byte of it.

        Raises:
            RefusedError: it is not of the expected size.
            ResizedError: it is not of the size that this file had when it began to arrive.
            NotResumableError: there is nothing behind what has arrived.
            InputError: it does not fit on the disk.
        """
        if self.status == 416:  # libcurl takes it for success: the part may be the whole
            raise NotResumableError("has nothing behind what has arrived")
        total = self.total
        if total is not None and self.expected is not None and total != self.expected:
            raise RefusedError(f"has {total:,} bytes, expected {self.expected:,}")
        if total is not None and self.partial.total not in (None, total):
            raise ResizedError(self.partial.total, total)
        if total is not None:
            require_space(self.partial.path, total - self.start)
        self.partial.note(total, self.validator)


def require_space(path: Path, needed: int) -> None:
    """Refuse to begin what cannot end.

    Raises:
        InputError: fewer than ``needed`` bytes are free where ``path`` is.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            path.parent,
            f"no space left on the disk: {shown(needed)} still to come, {shown(free)} free",
            remedy=FREE_SOME,
        )


def attempt(
    url: str, partial: Partial, *, expected: int | None, verified: bool, stall: int
) -> None:
    """Bring what is missing of ``partial`` from ``url``; it is whole when this returns.

    Args:
        expected: size that the file must have, None where unknown.
        verified: whether a checksum will judge the whole. Only then may parts from several servers,
            or of unknown version, be joined.
        stall: seconds below 1 kB/s after which the connection is given up.

    Raises:
        RefusedError, CutOffError, NotResumableError, ResizedError: see there.
        InputError: the disk is too small.
        OSError: writing failed.
    """
    start = partial.size
    if start and not verified and partial.validator is None:
        raise NotResumableError("no version to compare with")
    state = _Attempt(url, partial, expected, start)
    curl = _handle(url, stall)
    if start:
        curl.setopt(pycurl.RESUME_FROM_LARGE, start)
        if not verified:
            curl.setopt(pycurl.HTTPHEADER, [f"If-Range: {partial.validator}"])
    curl.setopt(pycurl.HEADERFUNCTION, _guarded(state, state.header))
    curl.setopt(pycurl.XFERINFOFUNCTION, _guarded(state, _progress(state)))
    try:
        # Unbuffered: what a killed job has received is in the file.
        with open(partial.path, "ab", buffering=0) as file:
            curl.setopt(pycurl.WRITEFUNCTION, _guarded(state, _writer(state, file)))
            curl.perform()
        if partial.size == start:
            state.accept()  # no body: nothing was written, so nothing was checked
    except pycurl.error as error:
        _explain(error.args[0], error.args[1], state)
    finally:
        curl.close()
    took = max(time.monotonic() - state.began, 1e-6)
    log.info(
        "%s: %s arrived in %.1f s, %s/s", url, shown(partial.size - start), took,
        shown((partial.size - start) / took),
    )  # fmt: skip


def _handle(url: str, stall: int) -> pycurl.Curl:
    curl = pycurl.Curl()
    options = {
        pycurl.URL: url,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 1,
        pycurl.MAXREDIRS: 10,
        pycurl.FAILONERROR: 1,
        pycurl.NOSIGNAL: 1,
        pycurl.NOPROGRESS: 0,
        pycurl.USERAGENT: "pfamformer",
        pycurl.CONNECTTIMEOUT: _CONNECT,
        pycurl.LOW_SPEED_LIMIT: 1000,
        pycurl.LOW_SPEED_TIME: stall,
        # The system's certificates know an institute's own authority; SSL_CERT_FILE overrides both.
        pycurl.CAINFO: ssl.get_default_verify_paths().cafile or certifi.where(),
    }
    for option, value in options.items():
        curl.setopt(option, value)
    return curl


def _guarded(state: _Attempt, action: Callable) -> Callable:
    """A callback that keeps its exception for the caller and stops the transfer: libcurl is C."""

    def callback(*arguments: object) -> int | None:
        try:
            return action(*arguments)
        except BaseException as error:
            state.error = error
            return -1

    return callback


def _writer(state: _Attempt, file: object) -> Callable[[bytes], None]:
    accepted = False

    def write(data: bytes) -> None:
        nonlocal accepted
        if not accepted:
            state.accept()
            accepted = True
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    return write


def _progress(state: _Attempt) -> Callable[..., None]:
    def report(_total: int, arrived: int, _up_total: int, _up: int) -> None:
        now = time.monotonic()
        if now - state.reported >= _REPORT_EVERY and state.status in (200, 206):
            state.reported = now
            here, total = state.start + arrived, state.total
            whole = f" of {shown(total)} ({100 * here / total:.0f} %)" if total else ""
            rate = arrived / (now - state.began)
            log.info("%s: %s%s, %s/s", state.url, shown(here), whole, shown(rate))

    return report


def _explain(code: int, message: str, state: _Attempt) -> None:
    """Raise what libcurl's error means for the file."""
    if state.error is not None:
        raise state.error
    if code == pycurl.E_HTTP_RANGE_ERROR:
        raise NotResumableError("sends the file only from its start")
    if code == pycurl.E_HTTP_RETURNED_ERROR:
        if state.status in _FINAL:
            raise RefusedError(f"HTTP {state.status}")
        raise CutOffError(f"HTTP {state.status}", _retry_after(state.headers.get("retry-after")))
    if code in _HOPELESS:
        raise RefusedError(message)
    raise CutOffError(message or f"libcurl error {code}")


def _retry_after(value: str | None) -> float:
    """Seconds that a server asked for, as a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return 0.0
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def shown(count: float) -> str:
    """Bytes as people read them, in powers of 1,000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
