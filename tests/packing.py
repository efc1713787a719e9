"""Tars and zips made in memory, of plain files or with what no archive should hold."""

import io
import tarfile
import zipfile
from collections.abc import Mapping

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


def make_tar_of(*infos: tarfile.TarInfo) -> bytes:
    """A tar of headers without data, beside one plain file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info in (tarfile.TarInfo("plain.txt"), *infos):
            tar.addfile(info)
    return buffer.getvalue()


def tar_with(name: str, **values: object) -> bytes:
    """A tar with one more header, whose fields are given."""
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return make_tar_of(info)


def zip_with(name: str, mode: int) -> bytes:
    """A zip with one more entry, whose Unix mode is given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("plain.txt", b"")
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        packed.writestr(info, b"../secret")
    return buffer.getvalue()
