"""Serves the page on which a person tags, to this machine alone.

The address holds a token that nobody else knows; what asks for another path, or by another name of
the machine (a page in the web that had its own name lead here), is refused.
"""

import io
import json
import secrets
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from pipeline.base.errors import UserError
from pipeline.data.images import read_image, shrink
from pipeline.report.template import render
from pipeline.tagging.table import TagTable

HOST = "127.0.0.1"
SIDE = 1280  # pixels of a photograph on the page
KEPT = 32  # photographs in memory, for going back and for the browser that fetches ahead
MOST_BYTES = 1 << 16  # of what the page sends
HERE = Path(__file__).parent


class Picture(NamedTuple):
    """One photograph to tag: its id, and what the classifier takes it for, if there is one.

    `doubt` is between 0 and 1.
    """

    id: str
    guess: tuple[str, ...] | None = None
    doubt: float | None = None


class TagServer(ThreadingHTTPServer):
    """The page, its photographs, and the place to which it sends tags.

    Attributes:
        address: where the page is.
    """

    daemon_threads = True

    def __init__(self, table: TagTable, pictures: list[Picture], port: int = 0) -> None:
        """Listen on a port; 0: one that is free.

        Raises:
            OSError: it is taken.
        """
        self.table, self.pictures, self.lock = table, pictures, Lock()
        self.token = secrets.token_urlsafe(16)
        self.photograph: Callable[[int], bytes] = lru_cache(KEPT)(self._photograph)
        super().__init__((HOST, port), _Handler)
        self.address = f"http://{HOST}:{self.server_port}/{self.token}/"

    def page(self) -> str:
        """The page, with the tags that are in the table now."""
        known = self.table.read()
        names = self.table.labels.classes.names[1:]
        data = {
            "classes": list(names),
            "pictures": [
                {"id": picture.id, "tags": known.get(picture.id), "guess": picture.guess}
                for picture in self.pictures
            ],
        }
        script = f"\n{(HERE / 'tag.js').read_text('utf-8')}"
        values = {"data": data, "folder": self.table.path.parent.name}
        filters: dict[str, Callable[..., object]] = {}
        return render(
            "tag.html.j2",
            values,
            filters,
            folder=HERE,
            css="tag.css.j2",
            script=script,
            files=True,
            served=True,
        )

    def take(self, sent: Any) -> None:
        """Write the tags that the page sent: {"picture": number, "tags": names or null}.

        Raises:
            ValueError: they are none.
        """
        names = self.table.labels.classes.names[1:]
        try:
            key, tags = self.pictures[sent["picture"]].id, sent["tags"]
            valid = tags is None or all(name in names for name in tags)
        except (TypeError, KeyError, IndexError):
            valid = False
        if not valid:
            raise ValueError("no tags of a photograph here")
        with self.lock:
            self.table.write(key, None if tags is None else tuple(tags))

    def _photograph(self, number: int) -> bytes:
        """A photograph as JPEG, upright and not larger than the page shows it."""
        image = read_image(self.table.photographs.paths[self.pictures[number].id])
        data = io.BytesIO()
        shrink(image, SIDE).save(data, "JPEG", quality=88)
        return data.getvalue()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: TagServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The page, or photographs/NUMBER."""
        path = self._path()
        if path == "":
            self._answer(self.server.page().encode(), "text/html; charset=utf-8")
            return
        folder, _, number = (path or "").partition("/")
        if folder != "photographs" or not number.isdecimal():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            self._answer(self.server.photograph(int(number)), "image/jpeg")
        except (UserError, IndexError):
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Tags."""
        length = self.headers.get("Content-Length", "")
        if self._path() != "tags" or not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            self.server.take(json.loads(self.rfile.read(int(length))))
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except (UserError, OSError) as error:
            self._answer(str(error).encode(), "text/plain; charset=utf-8", HTTPStatus.CONFLICT)
        else:
            self._answer(b"", "text/plain")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _path(self) -> str | None:
        """What is asked for, behind the token; None for others."""
        own = f"{HOST}:{self.server.server_port}"
        head = f"/{self.server.token}/"
        if self.headers.get("Host") != own or not self.path.startswith(head):
            return None
        return self.path.removeprefix(head)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # what was sent is not read
        self._answer(b"", "text/plain", status)

    def _answer(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store" if kind.startswith("text") else "max-age=3600",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
