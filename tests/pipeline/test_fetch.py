"""Downloads against a server that breaks off, refuses, lies about ranges or serves junk."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline import fetch as module
from pipeline.errors import UserError
from pipeline.fetch import fetch
from tests.file_server import FileServer

BODY = np.random.default_rng(0).bytes(3_000_000)  # three chunks, the last one short
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with the file at two addresses, and no waiting."""
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer({"/a.bin": BODY, "/b.bin": BODY}) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file shall lie; the folder is still to be made."""
    return tmp_path / "downloads" / "a.bin"


def part_of(path: Path) -> Path:
    """The unfinished file."""
    return path.with_name("a.bin.part")


def test_whole_file_is_fetched_once(server: FileServer, path: Path) -> None:
    fetch([server.url("/a.bin")], path, MD5, len(BODY))
    fetch([server.url("/a.bin")], path, MD5, len(BODY))
    assert path.read_bytes() == BODY
    assert not part_of(path).exists()
    assert server.asked == [("/a.bin", "")]


def test_file_with_other_bytes_is_replaced(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_cut_off_download_goes_on_where_it_broke(server: FileServer, path: Path) -> None:
    server.cuts["/a.bin"] = [1_500_000, 700_000]
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    starts = [int(asked[6:-1]) if asked else 0 for _, asked in server.asked]
    assert len(starts) == 3
    assert starts[0] == 0 < starts[1] < starts[2] < len(BODY)


def test_line_that_always_breaks_gets_there(server: FileServer, path: Path) -> None:
    server.cuts["/a.bin"] = [400_000] * 7  # more breaks than there are pauses
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_later_run_goes_on(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(BODY[:1_000_000])
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked == [("/a.bin", "bytes=1000000-")]


def test_part_that_is_whole_already(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(BODY)
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("length", [1000, 4_000_000])
def test_part_of_another_file_is_dropped(server: FileServer, path: Path, length: int) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(b"x" * length)
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_server_that_ignores_ranges(server: FileServer, path: Path) -> None:
    server.ranges = False
    server.cuts["/a.bin"] = [2_000_000]
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked[1][1].startswith("bytes=")


def test_mirror_after_404(server: FileServer, path: Path) -> None:
    fetch([server.url("/gone.bin"), server.url("/b.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert [asked for asked, _ in server.asked] == ["/gone.bin", "/b.bin"]


def test_mirror_goes_on_with_the_same_part(server: FileServer, path: Path) -> None:
    server.cuts["/a.bin"] = [2_000_000]
    fetch([server.url("/a.bin"), server.url("/b.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked[1][0] == "/b.bin"
    assert server.asked[1][1].startswith("bytes=")


def test_busy_server_is_asked_again(server: FileServer, path: Path) -> None:
    server.statuses["/a.bin"] = [503, 429]
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_wrong_bytes_are_refused(server: FileServer, path: Path) -> None:
    server.files["/a.bin"] = b"<html>please log in</html>"
    with pytest.raises(UserError, match=f"its md5 is .*, not {MD5}"):
        fetch([server.url("/a.bin")], path, MD5)
    assert list(path.parent.iterdir()) == []
    assert len(server.asked) == 1


def test_wrong_size_is_refused_before_it_is_loaded(server: FileServer, path: Path) -> None:
    with pytest.raises(UserError, match="3000000 bytes, not 5"):
        fetch([server.url("/a.bin")], path, MD5, 5)


def test_message_names_every_address_and_the_way_out(server: FileServer, path: Path) -> None:
    server.statuses["/a.bin"] = [500] * 9
    with pytest.raises(UserError) as caught:
        fetch([server.url("/a.bin"), server.url("/gone.bin")], path, MD5)
    message = str(caught.value)
    assert "a.bin: answered 500" in message
    assert "gone.bin: answered 404" in message
    assert f"by hand to {path}" in message
    assert len(server.asked) == 1 + len(module.PAUSES) + 1  # the 404 is asked once


def test_nobody_listens(server: FileServer, path: Path) -> None:
    url = server.url("/a.bin")
    with FileServer() as closed:
        url = closed.url("/a.bin")
    with pytest.raises(UserError, match="no connection"):
        fetch([url], path, MD5)
