"""Downloads against a server that stalls, breaks off, refuses, lies about ranges or serves junk."""

import gzip
import hashlib
from pathlib import Path

import pytest

from pipeline.base import disk
from pipeline.base import fetch as module
from pipeline.base.errors import UserError
from pipeline.base.fetch import fetch
from tests.file_server import BODY, MD5, FileServer, part_of


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


# --- how long to wait ---------------------------------------------------------------------------


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept between rounds, which take no time here."""
    seconds: list[float] = []
    monkeypatch.setattr(module, "PAUSES", (1.0, 4.0, 16.0))
    monkeypatch.setattr(module.time, "sleep", seconds.append)
    return seconds


def test_pauses_grow(server: FileServer, path: Path, slept: list[float]) -> None:
    server.statuses["/a.bin"] = [503] * 9
    with pytest.raises(UserError, match="answered 503"):
        fetch([server.url("/a.bin")], path, MD5)
    assert slept == [1.0, 4.0, 16.0]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7.0), ("0", 1.0), ("86400", 60.0), ("9" * 400, 60.0), ("tomorrow", 1.0), ("-5", 1.0)],
)
def test_server_may_ask_for_a_longer_pause(
    server: FileServer, path: Path, slept: list[float], asked: str, waited: float
) -> None:
    server.statuses["/a.bin"] = [429]
    server.headers["/a.bin"] = {"Retry-After": asked}
    fetch([server.url("/a.bin")], path, MD5)
    assert slept == [waited]


def test_stalled_line_is_left_and_gone_on_with(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", (5.0, 0.3))
    server.stalls["/a.bin"] = [1_500_000]
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked[1][1].startswith("bytes=14")


def test_line_that_always_stalls_is_told_from_none(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", (5.0, 0.2))
    server.stalls["/a.bin"] = [0] * 9
    with pytest.raises(UserError, match="did not answer in time"):
        fetch([server.url("/a.bin")], path, MD5)


# --- answers that are not the file --------------------------------------------------------------


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_wrong_bytes_are_refused(server: FileServer, path: Path, size: int | None) -> None:
    server.files["/a.bin"] = bytes(len(BODY))
    with pytest.raises(UserError, match=f"its md5 is .*, not {MD5[4:]}"):
        fetch([server.url("/a.bin")], path, MD5, size)
    assert list(path.parent.iterdir()) == []
    assert len(server.asked) == 1


def test_wrong_size_is_refused_before_it_is_loaded(server: FileServer, path: Path) -> None:
    with pytest.raises(UserError, match="3000000 bytes, not 5"):
        fetch([server.url("/a.bin")], path, MD5, 5)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("given", ["2999999", "0"])
def test_length_that_is_too_short_never_counts(server: FileServer, path: Path, given: str) -> None:
    server.headers["/a.bin"] = {"Content-Length": given}
    with pytest.raises(UserError, match="its md5 is"):
        fetch([server.url("/a.bin")], path, MD5)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("given", ["4000000", "nonsense", "-7", None])
def test_length_that_says_nothing_is_got_over(
    server: FileServer, path: Path, given: str | None
) -> None:
    server.headers["/a.bin"] = {"Content-Length": given}
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_endless_answer_is_left(server: FileServer, path: Path) -> None:
    server.headers["/a.bin"] = {"Content-Length": None}
    server.files["/a.bin"] = BODY + BODY
    with pytest.raises(UserError, match="more than the 3000000 bytes"):
        fetch([server.url("/a.bin")], path, MD5, len(BODY))
    assert part_of(path).stat().st_size == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_refusals_are_asked_once(server: FileServer, path: Path, status: int) -> None:
    server.statuses["/a.bin"] = [status]
    with pytest.raises(UserError, match=f"a.bin: answered {status}"):
        fetch([server.url("/a.bin")], path, MD5)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_file(server: FileServer, path: Path, status: int) -> None:
    server.statuses["/a.bin"] = [status]
    with pytest.raises(UserError, match=f"a.bin: answered {status}"):
        fetch([server.url("/a.bin")], path, MD5)


def test_redirect_is_followed_and_a_circle_left(server: FileServer, path: Path) -> None:
    server.redirects = {"/old": "/a.bin", "/x": "/y", "/y": "/x"}
    with pytest.raises(UserError, match="redirects in a circle"):
        fetch([server.url("/x")], path, MD5)
    assert len(server.asked) == 31  # one circle, not one a round
    fetch([server.url("/old")], path, MD5)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("place", ["file:///etc/hostname", "http://[here", "gopher://here/x"])
def test_redirect_to_nowhere(server: FileServer, path: Path, place: str) -> None:
    server.redirects = {"/x": place}
    with pytest.raises(UserError, match="redirects to an invalid address"):
        fetch([server.url("/x")], path, MD5)


@pytest.mark.parametrize("ranges", [True, False])
def test_web_page_costs_nothing_of_what_came(server: FileServer, path: Path, ranges: bool) -> None:
    """A network that wants a log-in answers everything with 200 and its page."""
    path.parent.mkdir()
    part_of(path).write_bytes(BODY[:2_000_000])
    server.ranges = ranges
    server.files["/a.bin"] = b"<html>please log in</html>" * 100_000
    server.headers["/a.bin"] = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(UserError, match="a web page instead of the file") as caught:
        fetch([server.url("/a.bin")], path, MD5)
    assert part_of(path).read_bytes() == BODY[:2_000_000]
    assert f"kept in {part_of(path)}" in str(caught.value)


def test_ranges_that_fail_cost_nothing_of_what_came(server: FileServer, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(BODY[:2_000_000])
    server.statuses["/a.bin"] = [416, 403]
    with pytest.raises(UserError, match="answered 403"):
        fetch([server.url("/a.bin")], path, MD5)
    assert part_of(path).read_bytes() == BODY[:2_000_000]
    server.statuses["/a.bin"] = [416]
    server.cuts["/a.bin"] = [2_500_000]
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    starts = [int(asked[6:-1]) if asked else 0 for _, asked in server.asked]
    assert starts[:4] == [2_000_000, 0, 2_000_000, 0]
    assert starts[4] > 2_400_000  # what lay beyond the part was added to it


@pytest.mark.parametrize("span", ["bytes 9-2999999/3000000", "bytes 0-99/100", "junk", None])
def test_range_that_was_not_asked_for(server: FileServer, path: Path, span: str | None) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(BODY[:5])
    server.headers["/a.bin"] = {"Content-Range": span}
    if span == "bytes 0-99/100":
        with pytest.raises(UserError, match="100 bytes, not 3000000"):
            fetch([server.url("/a.bin")], path, MD5, len(BODY))
        return
    with pytest.raises(UserError, match="range that was not asked for"):
        fetch([server.url("/a.bin")], path, MD5)
    assert part_of(path).read_bytes() == BODY[:5]


def test_a_mirrors_bad_bytes_do_not_spoil_the_next(server: FileServer, path: Path) -> None:
    server.files["/bad.bin"] = bytes(len(BODY))
    server.cuts["/bad.bin"] = [1_000_000] * 9
    fetch([server.url("/bad.bin"), server.url("/b.bin")], path, MD5)
    assert path.read_bytes() == BODY


def test_tgz_that_is_called_an_encoding(server: FileServer, path: Path) -> None:
    """Old servers announce a .tgz as a .tar in gzip encoding; the .tgz is wanted."""
    packed = gzip.compress(b"a tar")
    server.files["/a.tgz"] = packed
    server.headers["/a.tgz"] = {"Content-Encoding": "gzip"}
    fetch([server.url("/a.tgz")], path, f"md5:{hashlib.md5(packed).hexdigest()}")
    assert path.read_bytes() == packed


# --- digests ------------------------------------------------------------------------------------


def test_the_first_digits_of_a_sha256_are_enough(server: FileServer, path: Path) -> None:
    digits = hashlib.sha256(BODY).hexdigest()
    fetch([server.url("/a.bin")], path, f"sha256:{digits[:8]}")
    assert path.read_bytes() == BODY
    wrong = f"sha256:{digits[:7]}{'0' if digits[7] != '0' else '1'}"
    with pytest.raises(UserError, match=f"its sha256 is {digits[:8]}, not {wrong[7:]}"):
        fetch([server.url("/a.bin")], path.with_name("b.bin"), wrong)


# --- the disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_room_is_asked_for_before_the_first_byte(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    usage = type("Usage", (), {"free": 2_990_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(disk, "GB", 1e6)
    size = None
    if not announced:
        server.headers["/a.bin"], size = {"Content-Length": None}, len(BODY)
    with pytest.raises(UserError) as caught:
        fetch([server.url("/a.bin"), server.url("/b.bin")], path, MD5, size)
    message = str(caught.value)
    assert message.startswith(f"{path.parent}: a.bin needs 3.00 GB, 2.99 GB are free")
    assert "data_root" in message
    assert len(server.asked) == 1
    assert list(path.parent.iterdir()) == []
    path.parent.joinpath("a.bin.part").write_bytes(BODY[:20_000])  # its bytes need no room again
    fetch([server.url("/a.bin")], path, MD5, size)
    assert path.read_bytes() == BODY


def test_folder_in_the_way_is_named_before_the_download(server: FileServer, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(UserError, match=r"a\.bin is a folder"):
        fetch([server.url("/a.bin")], path, MD5)
    assert server.asked == []


# --- what is said -------------------------------------------------------------------------------


def test_message_names_every_address_and_the_way_out(server: FileServer, path: Path) -> None:
    server.statuses["/a.bin"] = [500] * 9
    with pytest.raises(UserError) as caught:
        fetch([server.url("/a.bin"), server.url("/gone.bin")], path, MD5)
    message = str(caught.value)
    assert "a.bin: answered 500" in message
    assert "gone.bin: answered 404" in message
    assert f"by hand to {path}" in message
    assert len(message.splitlines()) == 2
    assert len(server.asked) == 1 + len(module.PAUSES) + 1  # the 404 is asked once


def test_nobody_listens(server: FileServer, path: Path) -> None:
    url = server.url("/a.bin")
    with FileServer() as closed:
        url = closed.url("/a.bin")
    with pytest.raises(UserError, match="no connection"):
        fetch([url], path, MD5)
