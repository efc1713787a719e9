"""What the server answers, and to whom."""

import http.client
import io
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from pipeline.tagging.pictures import open_folder
from pipeline.tagging.server import HOST, SIDE, TagServer


@pytest.fixture
def server(folder: Path) -> Iterator[TagServer]:
    """A server of the small folder."""
    Image.new("RGB", (3000, 1500), "blue").save(folder / "images" / "a.jpg")
    started = TagServer(*open_folder(folder))
    Thread(target=started.serve_forever, daemon=True).start()
    yield started
    started.shutdown()
    started.server_close()


def ask(
    server: TagServer, path: str, body: object = None, host: str | None = None
) -> tuple[int, str, bytes]:
    """Status, type and content of an answer; `path` is behind the token unless it begins with /."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=10)
    headers = {"Host": host or f"{HOST}:{server.server_port}"}
    full = path if path.startswith("/") else f"/{server.token}/{path}"
    sent = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", full, sent, headers)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_page_and_photographs(server: TagServer) -> None:
    status, kind, page = ask(server, "")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b"red fish" in page
    assert b"connect-src &#39;self&#39;" in page
    status, kind, data = ask(server, "photographs/0")
    assert (status, kind) == (200, "image/jpeg")
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (SIDE, SIDE // 2)


def test_tags_are_in_the_file_when_the_answer_comes(server: TagServer) -> None:
    for tags, line in ((["cat"], "a.jpg,cat"), ([], "a.jpg,background"), (None, "a.jpg,")):
        assert ask(server, "tags", {"picture": 0, "tags": tags})[0] == 200
        assert server.table.path.read_text() == f"image,tags\n{line}\n"


@pytest.mark.parametrize(
    "sent",
    [
        {"picture": 9, "tags": ["cat"]},
        {"picture": 0, "tags": ["cow"]},
        {"picture": "0", "tags": []},
        {"picture": 0},
        [],
        "x",
    ],
)
def test_what_are_no_tags_is_refused(server: TagServer, sent: object) -> None:
    assert ask(server, "tags", sent)[0] == HTTPStatus.BAD_REQUEST
    assert not server.table.path.exists()


def test_nobody_else_gets_anything(server: TagServer) -> None:
    refused = [
        ask(server, "/"),
        ask(server, "/photographs/0"),
        ask(server, "", host="attacker.example"),
        ask(server, f"/{'x' * len(server.token)}/"),
        ask(server, f"/{'x' * len(server.token)}/tags", {"picture": 0, "tags": ["cat"]}),
        ask(server, "tags", {"picture": 0, "tags": ["cat"]}, host="attacker.example"),
        ask(server, "photographs/../../tags.csv"),
        ask(server, "photographs/99"),
    ]
    assert {(status, body) for status, _, body in refused} == {(HTTPStatus.NOT_FOUND, b"")}
    assert not server.table.path.exists()


def test_a_file_that_cannot_be_written_is_told(server: TagServer) -> None:
    server.table.path.mkdir()
    status, _, body = ask(server, "tags", {"picture": 0, "tags": ["cat"]})
    assert status == HTTPStatus.CONFLICT
    assert b"tags.csv" in body
