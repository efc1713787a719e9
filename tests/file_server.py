"""A web server on loopback that serves files from memory and misbehaves as it is told."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

import numpy as np

BODY = np.random.default_rng(0).bytes(3_000_000)  # three chunks, the last one short
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"


def part_of(path: Path) -> Path:
    """The unfinished file of a download."""
    return path.with_name(f"{path.name}.part")


class FileServer:
    """Serves `files` by path; use it as a context manager.

    Attributes:
        files: bodies by path, such as "/a.tar".
        cuts: for a path, after how many bytes of the body each of the next answers breaks off.
        stalls: the same, but there the answers go silent and the connection stays open.
        statuses: for a path, statuses each of the next requests is answered with instead.
        headers: for a path, headers that are added or replaced; None leaves one out.
        redirects: for a path, the address it redirects to.
        ranges: whether Range requests are honoured.
        asked: (path, Range header or "") of every request so far.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.cuts: dict[str, list[int]] = defaultdict(list)
        self.stalls: dict[str, list[int]] = defaultdict(list)
        self.statuses: dict[str, list[int]] = defaultdict(list)
        self.headers: dict[str, dict[str, str | None]] = defaultdict(dict)
        self.redirects: dict[str, str] = {}
        self.ranges = True
        self.asked: list[tuple[str, str]] = []
        self._over = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def __enter__(self) -> "FileServer":
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stop."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """Handler class bound to this server's settings."""
        settings = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                settings.answer(self)

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path, asked = handler.path, handler.headers.get("Range", "")
        self.asked.append((path, asked))
        if self.statuses[path] or path not in self.files:
            self._refuse(handler, path)
            return
        body = self.files[path]
        match = re.fullmatch(r"bytes=(\d+)-", asked) if self.ranges else None
        begin = int(match[1]) if match else 0
        if begin and begin >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if match else 200)
        headers: dict[str, str | None] = {"Content-Length": str(len(body) - begin)}
        if match:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        self._send_headers(handler, headers | self.headers[path])
        end = begin + self.cuts[path].pop(0) if self.cuts[path] else len(body)
        if self.stalls[path]:
            handler.wfile.write(body[begin : begin + self.stalls[path].pop(0)])
            self._over.wait()
        else:
            handler.wfile.write(body[begin:end])

    def _refuse(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        """Answer with a status in place of a file."""
        given = self.statuses[path]
        status = given.pop(0) if given else 302 if path in self.redirects else 404
        handler.send_response(status)
        location = self.redirects.get(path)
        self._send_headers(
            handler, {"Location": location, "Content-Length": "0"} | self.headers[path]
        )

    def _send_headers(
        self, handler: BaseHTTPRequestHandler, headers: Mapping[str, str | None]
    ) -> None:
        """Send every header that has a value."""
        for name, value in headers.items():
            if value is not None:
                handler.send_header(name, value)
        handler.end_headers()
