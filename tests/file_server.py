"""A web server on loopback that serves files from memory and misbehaves as it is told."""

import re
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType


class FileServer:
    """Serves `files` by path; use it as a context manager.

    Attributes:
        files: bodies by path, such as "/a.tar".
        cuts: for a path, after how many bytes of the body each of the next answers breaks off.
        statuses: for a path, statuses each of the next requests is answered with instead.
        ranges: whether Range requests are honoured.
        asked: (path, Range header or "") of every request so far.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.cuts: dict[str, list[int]] = defaultdict(list)
        self.statuses: dict[str, list[int]] = defaultdict(list)
        self.ranges = True
        self.asked: list[tuple[str, str]] = []
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
            handler.send_error(self.statuses[path].pop(0) if self.statuses[path] else 404)
            return
        body = self.files[path]
        match = re.fullmatch(r"bytes=(\d+)-", asked) if self.ranges else None
        begin = int(match[1]) if match else 0
        if begin and begin >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if match else 200)
        if match:
            span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            handler.send_header("Content-Range", span)
        handler.send_header("Content-Length", str(len(body) - begin))
        handler.end_headers()
        end = begin + self.cuts[path].pop(0) if self.cuts[path] else len(body)
        handler.wfile.write(body[begin:end])
