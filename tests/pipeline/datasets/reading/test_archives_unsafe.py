"""Archives that are meant to do harm: nothing is written but plain files inside the folder."""

import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.datasets.reading import archives
from pipeline.datasets.reading.archives import unpack
from tests.packing import FILES, make_tar, make_tar_of, make_zip, tar_with, zip_with

OUT = {
    "absolute in tar": (make_tar({"/evil": b""}), r"'/evil' leads out of the folder"),
    "absolute in zip": (make_zip({"/evil": b""}), r"'/evil' leads out of the folder"),
    "up in tar": (make_tar({"../evil": b""}), r"'\.\./evil' leads out of the folder"),
    "up in zip": (make_zip({"../evil": b""}), r"'\.\./evil' leads out of the folder"),
    "up inside": (make_tar({"top/../../evil": b""}), r"'top/\.\./\.\./evil' leads out"),
}
NAMES = {
    "NUL": tar_with("x", pax_headers={"path": "a\0b"}),
    "long name": make_tar({"a" * 256: b""}),
    "long name in bytes": make_zip({"ä" * 128: b""}),
    "very deep": make_tar({"d/" * 1500 + "x": b""}),
    "same name": make_tar_of(tarfile.TarInfo("plain.txt")),
    "file is folder": make_zip({"a": b"", "a/b/c": b""}),
    "folder is file": make_zip({"a/b/c": b"", "a/b": b""}),
}
LINK = {"type": tarfile.SYMTYPE}
NO_FILES = {
    "link out": tar_with("x", linkname="../../secret", **LINK),
    "link absolute": tar_with("x", linkname="/etc/passwd", **LINK),
    "link inside": tar_with("x", linkname="plain.txt", **LINK),
    "hard link": tar_with("x", type=tarfile.LNKTYPE, linkname="plain.txt"),
    "device": tar_with("x", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "block device": tar_with("x", type=tarfile.BLKTYPE, devmajor=8),
    "pipe": tar_with("x", type=tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("kind", OUT)
def test_a_path_that_leads_out_is_refused_before_anything_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, message = OUT[kind]
    (tmp_path / "archive").write_bytes(data)
    monkeypatch.setattr(archives, "_write", lambda *given: pytest.fail("something was written"))
    with pytest.raises(UserError, match=rf"archive cannot be unpacked \({message}") as e:
        unpack(tmp_path / "archive", tmp_path / "deep" / "out")
    assert len(str(e.value).splitlines()) == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"archive", "deep"}


def test_a_path_that_leads_out_is_refused_where_it_is_not_wanted(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(make_tar({"top/a.txt": b"", "../evil": b""}))
    with pytest.raises(UserError, match="leads out"):
        unpack(path, tmp_path / "out", "top")


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_cannot_stand_are_damage_and_leave_nothing(kind: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(NAMES[kind])
    with pytest.raises(UserError, match=r"archive cannot be unpacked \(.*; remove it and run"):
        unpack(tmp_path / "archive", tmp_path / "deep" / "out")
    assert {path.name for path in tmp_path.rglob("*")} == {"archive", "deep"}


@pytest.mark.parametrize("kind", NO_FILES)
def test_links_and_devices_are_left_out(kind: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(NO_FILES[kind])
    unpack(tmp_path / "archive", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plain.txt"]


def test_a_link_in_a_zip_becomes_no_link(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zip_with("x", stat.S_IFLNK | 0o777))
    unpack(tmp_path / "archive", tmp_path / "out")
    assert not (tmp_path / "out" / "x").is_symlink()
    assert (tmp_path / "out" / "x").read_bytes() == b"../secret"


def test_negative_size_is_refused(tmp_path: Path) -> None:
    """Some versions of Python read such a tar for ever."""
    info = tarfile.TarInfo("x")
    info.size = -512
    header = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "archive").write_bytes(make_tar_of()[:512] + header + bytes(1024))
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_bomb_is_refused_before_anything_is_written(
    make: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both formats say how long a file is, and no more than that is read of it."""
    (tmp_path / "archive").write_bytes(make(FILES | {"bomb": bytes(10**7)}))
    usage = type("Usage", (), {"free": 10**7})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    monkeypatch.setattr(archives, "_write", lambda *given: pytest.fail("something was written"))
    with pytest.raises(UserError, match="make room"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(make_zip({"a.txt": b"secret"}))
    for mark in (b"PK\x01\x02", b"PK\x03\x04"):
        place = data.rfind(mark) + (8 if mark == b"PK\x01\x02" else 6)
        data[place] |= 1  # the flag that says so
    (tmp_path / "archive").write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be unpacked .*encrypted"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
