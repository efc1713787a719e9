"""Unpacking: only what is wanted, whole or not at all, and nowhere but into the folder."""

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.archives import Archive, obtain, unpack
from pipeline.errors import UserError
from tests.file_server import FileServer

FILES = {"top/a.txt": b"a", "top/deep/b.txt": b"b", "other/c.txt": b"c"}


def make_tar(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar of the files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def make_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files, with an entry for a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("top/", b"")
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


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
    with pytest.raises(UserError, match="no file under 'elsewhere'"):
        unpack(archive, tmp_path / "out", "elsewhere")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize("name", ["top/../../evil.txt", "../evil.txt"])
def test_path_that_leads_out(make: type, name: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(make({"top/a.txt": b"a", name: b"evil"}))
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "deep" / "out")
    assert list(contents(tmp_path)) == ["archive"]


def test_link_that_leads_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w") as tar:
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
        tar.addfile(link)
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("keep", [0.3, 0.5])
def test_damaged_archive_leaves_nothing(archive: Path, tmp_path: Path, keep: float) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match="remove it and run the stage again"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


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
