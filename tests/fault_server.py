"""An HTTP server on loopback that serves a folder, and fails where a test says so."""

from __future__ import annotations

import sys
import threading
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Fault:
    """What the server does with one request instead of answering it well.

    Attributes:
        status: answer with this status and no file.
        cut: close the connection after so many bytes of the body.
        ranges: whether ``Range`` is heeded.
        content: serve these bytes instead of the file's.
        claim: announce this length, whatever is sent.
        headers: more headers of the answer.
        chunked: send without a length.
        location: redirect there.
        hang: seconds of silence before the body.
    """

    def __init__(
        self,
        status: int = 200,
        cut: int | None = None,
        ranges: bool = True,
        content: bytes | None = None,
        claim: int | None = None,
        headers: dict[str, str] | None = None,
        chunked: bool = False,
        location: str | None = None,
        hang: float = 0,
    ) -> None:
        self.status, self.cut, self.ranges, self.content = status, cut, ranges, content
        self.claim, self.headers, self.chunked = claim, headers or {}, chunked
        self.hang = hang
        if location is not None:
            self.status, self.headers = 302, {"Location": location}


class FaultServer(ThreadingHTTPServer):
    """Serves ``folder``; ``faults[path]`` are used up one per request, ``always[path]`` never."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.etag: Callable[[bytes], str] = lambda content: f'"{zlib.crc32(content):x}"'
        self.piece: int | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, path: str) -> Fault:
        waiting = self.faults[path]
        return waiting.popleft() if waiting else self.always.get(path, Fault())

    def ranges_of(self, path: str) -> list[str | None]:
        """The ``Range`` of each request for a path, in order."""
        return [asked for name, asked in self.requests if name == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        asked = self.headers.get("Range")
        self.server.requests.append((path, asked))
        self.close_connection = True
        fault = self.server.fault(path)
        source = self.server.folder / path.lstrip("/")
        if fault.status != 200 or (fault.content is None and not source.is_file()):
            self._refuse(fault.status if fault.status != 200 else 404, fault)
            return
        content = source.read_bytes() if fault.content is None else fault.content
        self._send(content, self._start(asked, fault, content), fault)

    def _refuse(self, status: int, fault: Fault) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "5", "Connection": "close", **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"wrong")

    def _start(self, asked: str | None, fault: Fault, content: bytes) -> int | None:
        """Offset of the range that is asked for; None for the whole file."""
        condition = self.headers.get("If-Range")
        if not asked or not fault.ranges or condition not in (None, self.server.etag(content)):
            return None
        return int(asked.removeprefix("bytes=").split("-")[0])

    def _send(self, content: bytes, start: int | None, fault: Fault) -> None:
        if start is not None and start >= len(content):
            self._refuse(416, fault)
            return
        body = content[start or 0 :]
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(fault.claim or len(body)))
        headers = {"ETag": self.server.etag(content), "Connection": "close", **fault.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        time.sleep(fault.hang)
        for piece in self._pieces(body if fault.cut is None else body[: fault.cut]):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if fault.chunked else piece)
        if fault.chunked and fault.cut is None:
            self.wfile.write(b"0\r\n\r\n")

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        """The whole body, or pieces of it at a pace that leaves time to kill the server."""
        if self.server.piece is None:
            yield body
            return
        for at in range(0, len(body), self.server.piece):
            time.sleep(0.001)
            yield body[at : at + self.server.piece]

    def log_message(self, *_arguments: object) -> None:
        """Quiet: what was asked is in ``requests``."""


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[FaultServer]:
    """A running server, stopped and closed at the end."""
    server = FaultServer(folder, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    # A server to be killed: python fault_server.py FOLDER PORT BYTES_PER_MILLISECOND
    alone = FaultServer(Path(sys.argv[1]), int(sys.argv[2]))
    alone.piece = int(sys.argv[3])
    print("ready", flush=True)
    alone.serve_forever()
