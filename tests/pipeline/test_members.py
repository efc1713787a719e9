"""Archives that must not be unpacked: each is refused whole, with a message that says why."""

import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline import archives, members
from pipeline.archives import unpack
from pipeline.errors import UserError
from tests.packing import FILES, make_tar, make_tar_of, make_zip, tar_with, zip_with

Make = Callable[[Mapping[str, bytes]], bytes]
LINK = {"type": tarfile.SYMTYPE}
UNSAFE = {
    "absolute in tar": (make_tar({"/evil": b""}), r"'/evil', which leads out"),
    "absolute in zip": (make_zip({"/evil": b""}), r"'/evil', which leads out"),
    "up in tar": (make_tar({"../evil": b""}), r"'\.\./evil', which leads out"),
    "up in zip": (make_zip({"../evil": b""}), r"'\.\./evil', which leads out"),
    "up inside": (make_tar({"top/../../evil": b""}), r"'top/\.\./\.\./evil', which leads out"),
    "link out": (tar_with("x", linkname="../../secret", **LINK), "'x', which is no plain file"),
    "link absolute": (tar_with("x", linkname="/etc/passwd", **LINK), "'x', which is no plain"),
    "link inside": (tar_with("x", linkname="plain.txt", **LINK), "'x', which is no plain file"),
    "hard link": (tar_with("x", type=tarfile.LNKTYPE, linkname="plain.txt"), "'x', which is no"),
    "link in zip": (zip_with("x", stat.S_IFLNK | 0o777), "'x', which is no plain file"),
    "device": (tar_with("x", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "'x', which is no"),
    "block device": (tar_with("x", type=tarfile.BLKTYPE, devmajor=8), "'x', which is no plain"),
    "device in zip": (zip_with("x", stat.S_IFCHR | 0o666), "'x', which is no plain file"),
    "pipe": (tar_with("x", type=tarfile.FIFOTYPE), "'x', which is no plain file"),
    "huge": (tar_with("x", size=200 * 10**9), "more than 100 GB, at 'x'"),
    "NUL": (tar_with("x", pax_headers={"path": "a\0b"}), r"'a\\x00b', a name with a NUL byte"),
    "long name": (make_tar({"a" * 256: b""}), "'a{40}'..., a name too long"),
    "long name in bytes": (make_zip({"ä" * 128: b""}), "'ä{40}'..., a name too long"),
    "deep": (make_tar({"d/" * 500 + "x": b""}), "'d/.*'..., a name too long or too deep"),
    "case in tar": (make_tar({"a/B": b"1", "A/b": b"2"}), "'a/B' and 'A/b', one file on some"),
    "case in zip": (make_zip({"STRASSE": b"", "straße": b""}), "'STRASSE' and 'straße', one file"),
    "same name": (make_tar_of(tarfile.TarInfo("plain.txt")), "'plain.txt' and 'plain.txt', one"),
    "file is folder": (make_zip({"A": b"", "a/b/c": b""}), "'A' as a file and as the folder of"),
    "folder is file": (make_zip({"a/b/c": b"", "A/b": b""}), "'A/b' as a file and as the folder"),
}


@pytest.mark.parametrize("kind", UNSAFE)
def test_refused_before_anything_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, message = UNSAFE[kind]
    (tmp_path / "archive").write_bytes(data)
    monkeypatch.setattr(archives, "_write", lambda *given: pytest.fail("something was written"))
    with pytest.raises(UserError, match=rf"archive cannot be unpacked: it holds {message}") as e:
        unpack(tmp_path / "archive", tmp_path / "deep" / "out")
    assert len(str(e.value).splitlines()) == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"archive", "deep"}


def test_what_is_not_wanted_may_be_a_link_but_not_lead_out(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(tar_with("x", linkname="/etc", **LINK))
    unpack(path, tmp_path / "out", wanted=lambda name: name == "plain.txt")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["plain.txt"]
    path.write_bytes(make_tar({"top/a.txt": b"", "../evil": b""}))
    with pytest.raises(UserError, match="which leads out"):
        unpack(path, tmp_path / "other", "top")


def test_negative_size_is_refused(tmp_path: Path) -> None:
    """Some versions of Python read such a tar for ever."""
    info = tarfile.TarInfo("x")
    info.size = -512
    header = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "archive").write_bytes(make_tar_of()[:512] + header + bytes(1024))
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize(("bound", "refused"), [(3, False), (2, True)])
def test_number_of_files_is_bounded(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int, refused: bool
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(make(FILES))
    assert members.MAX_FILES > 2 * 118_287, "COCO's train2017 must pass"
    extra = 1 if zipfile.is_zipfile(archive) else 0  # its folder counts, too
    monkeypatch.setattr(members, "MAX_FILES", bound + extra)
    if refused:
        with pytest.raises(UserError, match=f"more than {bound + extra} files"):
            unpack(archive, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    else:
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_bomb_is_refused(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert members.MAX_BYTES > 2 * 19.4e9, "COCO's train2017 must pass"
    monkeypatch.setattr(members, "MAX_BYTES", 20_000_000)
    packed = make({f"{i}.bin": bytes(6_000_000) for i in range(4)})
    (tmp_path / "archive").write_bytes(packed)
    with pytest.raises(UserError, match=r"more than 0 GB, at '3\.bin'"):
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
