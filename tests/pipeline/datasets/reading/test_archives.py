"""Unpacking: only what is wanted, whole or not at all, and nowhere but into the folder."""

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from pipeline.base import disk
from pipeline.base.errors import UserError
from pipeline.datasets.reading import archives
from pipeline.datasets.reading.archives import Archive, obtain, unpack
from tests.file_server import FileServer
from tests.packing import FILES, make_tar, make_zip


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=[make_tar, make_zip], ids=["tar", "zip"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The files in either kind of archive."""
    path = tmp_path / "archive"
    path.write_bytes(request.param(FILES))
    return path


def test_inside_becomes_the_folder(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "new" / "out", "top")
    assert contents(tmp_path / "new") == {"out/a.txt": b"a", "out/deep/b.txt": b"b"}


def test_only_what_is_wanted(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "out", "top", lambda name: name == "deep/b.txt")
    assert contents(tmp_path / "out") == {"deep/b.txt": b"b"}


def test_existing_files_are_left_alone(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_bytes(b"mine")
    unpack(archive, tmp_path / "out", "top")
    assert contents(tmp_path / "out") == {"a.txt": b"mine", "deep/b.txt": b"b"}


def test_nothing_wanted_is_an_error(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the needed files under 'elsewhere'"):
        unpack(archive, tmp_path / "out", "elsewhere")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


# --- damage, full disks, kills ------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.3, 0.5])
def test_damaged_archive_leaves_nothing(archive: Path, tmp_path: Path, keep: float) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match="remove it and run the stage again"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize("content", [b"", b"<html>no archive</html>", bytes(2000)])
def test_no_archive_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be unpacked|has none of the needed files"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_any_byte_may_be_wrong(archive: Path, tmp_path: Path) -> None:
    """Whatever is flipped, there is a message or a folder, and nothing else beside it."""
    whole = archive.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), size=3):
            data[place] ^= int(rng.integers(1, 256))
        archive.write_bytes(data)
        out = tmp_path / f"out{number}"
        try:
            unpack(archive, out)
        except UserError:
            refused += 1
            assert not out.exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 1 + 150 - refused
    assert all(name == "archive" or name.startswith("out") for name in names)
    assert refused > 50


def test_room_is_asked_for_before_the_first_file(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 3 * archives.BLOCK  # each of the three files takes a block
    usage = type("Usage", (), {"free": room - 1})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=rf"^{tmp_path}: what archive holds needs .*data_root"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    usage.free = room
    unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("existing", [False, True])
def test_disk_that_fills_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    out = tmp_path / "out"
    if existing:
        out.mkdir()
        (out / "mine").write_bytes(b"mine")
    copy, copied = archives.shutil.copyfileobj, []

    def full_at_the_second(source: io.BytesIO, file: io.BytesIO) -> None:
        copied.append(source)
        if len(copied) == 2:
            file.write(b"half")
            raise OSError(28, "No space left on device")
        copy(source, file)

    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "copyfileobj", full_at_the_second)
        with pytest.raises(OSError, match="No space left"):
            unpack(archive, out)
    assert {path.name for path in tmp_path.iterdir()} == {"archive"} | (
        {"out"} if existing else set()
    )
    assert contents(out) == ({"mine": b"mine"} if existing else {})
    unpack(archive, out, "top")
    assert contents(out).items() >= {"a.txt": b"a", "deep/b.txt": b"b"}.items()


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from pipeline.datasets.reading import archives
    name, at = sys.argv[3], int(sys.argv[4])
    module, name = (archives.shutil, name) if name == "copyfileobj" else (archives.os, name)
    real, calls = getattr(module, name), []

    def deadly(*given):
        calls.append(given)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)

    setattr(module, name, deadly)
    archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]), "top")
"""


@pytest.mark.parametrize(
    ("existing", "call", "at", "left"),
    [
        (False, "copyfileobj", 2, {}),
        (False, "replace", 1, {}),
        (True, "copyfileobj", 2, {"mine": b"mine"}),
        (True, "replace", 1, {"mine": b"mine"}),
    ],
)
def test_killed_unpacking_is_not_taken_for_whole(
    archive: Path, tmp_path: Path, existing: bool, call: str, at: int, left: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    if existing:
        out.mkdir()
        (out / "mine").write_bytes(b"mine")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), archive, out, call, str(at)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert out.exists() == existing
    assert contents(out) == left
    assert (tmp_path / ".out.unpacked").exists()
    unpack(archive, out, "top")
    assert contents(out) == left | {"a.txt": b"a", "deep/b.txt": b"b"}
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out"}


def test_files_reach_the_disk_before_the_folder_appears(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace = os.replace
    monkeypatch.setattr(archives.os, "sync", lambda: done.append("sync"))
    monkeypatch.setattr(archives.os, "replace", lambda *x: (done.append("replace"), replace(*x)))
    unpack(archive, tmp_path / "out")
    assert done == ["sync", "replace"]


def test_obtain_keeps_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    data = make_tar(FILES)
    with FileServer({"/files/x.tgz": data}) as server:
        md5 = hashlib.md5(data).hexdigest()
        web = Archive((server.url("/files/x.tgz"),), md5, "other", len(data))
        obtain(web, tmp_path / "out", tmp_path)
    assert contents(tmp_path) == {"downloads/x.tgz": data, "out/c.txt": b"c"}


def damaged(kind: str) -> bytes:
    """Archives that are damaged, locked, or packed in a way that is not known."""
    packed = bytearray(make_zip(FILES))
    central = packed.index(b"PK\x01\x02", packed.index(b"PK\x01\x02") + 1)
    if kind == "begins before its start":  # found by fuzzing
        end = packed.index(b"PK\x05\x06")
        packed[end + 17] = 0x13
    elif kind == "locked":
        packed[central + 8] |= 1
        packed[packed.index(b"PK\x03\x04", 40) + 6] |= 1
    elif kind == "unknown packing":
        packed[central + 10] = 99
    elif kind == "name too long":
        return make_tar({f"top/{'x' * 300}": b""})
    elif kind == "file and folder of one name":
        return make_tar({"top/a": b"", "top/a/b": b""})
    elif kind == "folder and file of one name":
        return make_tar({"top/a/b": b"", "top/a": b""})
    elif kind == "of no bytes":
        return b""
    else:
        pack = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}[kind]
        with tarfile.open(fileobj=io.BytesIO(make_tar(FILES))) as tar:
            plain = tar.fileobj.read()  # type: ignore[union-attr]
        packed = bytearray(pack(plain))
        packed[len(packed) // 2] ^= 0xFF
    return bytes(packed)


@pytest.mark.parametrize(
    "kind",
    [
        *("begins before its start", "locked", "unknown packing", "name too long"),
        *("file and folder of one name", "folder and file of one name", "of no bytes"),
        *("gzip", "bzip2", "xz"),
    ],
)
def test_every_damage_is_told_alike(tmp_path: Path, kind: str) -> None:
    (tmp_path / "archive").write_bytes(damaged(kind))
    with pytest.raises(UserError, match=r"cannot be unpacked \(.+\); remove it and run"):
        unpack(tmp_path / "archive", tmp_path / "new" / "out", "top")
    assert not any((tmp_path / "new").iterdir())


def test_a_full_disk_is_no_damage(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, tmp_path / "new" / "out", "top")
    assert not any((tmp_path / "new").iterdir())


def test_a_file_in_the_folders_place_is_told_before_the_download(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    with pytest.raises(
        UserError, match=r"set is a file, but a folder is needed there: move it away"
    ):
        obtain(Archive(("http://127.0.0.1:9/a.tgz",), "0" * 32, "top"), tmp_path / "set", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
