"""Archives on the web: downloaded, and unpacked safely as far as their files are needed."""

import errno
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from pipeline.base.disk import need_room
from pipeline.base.errors import UserError
from pipeline.base.fetch import fetch
from pipeline.base.locks import locked
from pipeline.base.progress import track

Wanted = Callable[[str], bool]

DOWNLOADS = "downloads"  # folder under data_root for the archives themselves
BLOCK = 4096  # bytes: files take whole blocks of the disk

# What the libraries raise on archives that are damaged, encrypted or compressed in an unknown way.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error),
    *(ValueError, RuntimeError, KeyError, IndexError, OverflowError),
)
# An OSError of gzip's or bzip2's own has no number, a zip may name a place before its start, and
# names may be too long, no text, or one for a file and for a folder.
DAMAGE_ERRNO = (
    *(None, errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
)


class _Member(NamedTuple):
    """One plain file in an archive."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


@dataclass(frozen=True)
class Archive:
    """A tar or zip on the web; `inside` is the folder in it that holds what we need."""

    urls: tuple[str, ...]
    md5: str
    inside: str
    size: int | None = None

    @property
    def name(self) -> str:
        """File name the archive is kept under."""
        return self.urls[0].rsplit("/", 1)[-1]


def obtain(archive: Archive, folder: Path, data_root: Path, wanted: Wanted | None = None) -> None:
    """Fetch an archive into `data_root/downloads` and unpack it to `folder`.

    Raises:
        UserError: it cannot be downloaded or unpacked, or a file has the folder's name.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, but a folder is needed there: move it away")
    path = data_root / DOWNLOADS / archive.name
    fetch(archive.urls, path, f"md5:{archive.md5}", archive.size)
    unpack(path, folder, archive.inside, wanted)


def unpack(archive: Path, folder: Path, inside: str = "", wanted: Wanted | None = None) -> None:
    """Unpack what lies under `inside` in a tar or zip, so that it becomes `folder`.

    `folder` appears complete or not at all. If it exists already, missing files are added and
    existing ones are not changed. What a killed run left behind is removed.

    Args:
        archive: path of a tar (compressed or not) or zip.
        folder: what the archive's folder `inside` becomes.
        inside: folder in the archive, "" for all of it.
        wanted: whether to unpack a file, given its path below `inside`.

    Raises:
        UserError: the archive is damaged or not an archive, has a path that leads out of the
            folder, or has no wanted file; or the disk has no room.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        staging = folder.with_name(f".{folder.name}.unpacked")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            _extract(archive, staging, inside, wanted)
            _move_in(staging, folder)
        except DAMAGE as error:
            raise UserError(_damage(archive, error)) from error
        except OSError as error:
            if error.errno not in DAMAGE_ERRNO:
                raise
            raise UserError(_damage(archive, error)) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _extract(archive: Path, staging: Path, inside: str, wanted: Wanted | None) -> None:
    """Look through the archive, ask for room, and only then write the files."""
    with _plain_files(archive) as members:
        chosen = _choose(members, inside, wanted)
        if not chosen:
            raise UserError(f"{archive} has none of the needed files under {inside!r}")
        need_room(staging.parent, _room(chosen), f"what {archive.name} holds")
        for member in track(chosen, f"unpack {archive.name}"):
            _write(member, staging / member.name)


@contextmanager
def _plain_files(archive: Path) -> Iterator[Iterable[_Member]]:
    """Open a tar, compressed or not, or a zip, and yield its files: no links, devices or pipes."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            files = (info for info in tar if info.isreg())
            yield (_Member(i.name, i.size, partial(tar.extractfile, i)) for i in files)
    else:
        with zipfile.ZipFile(archive) as packed:
            infos = (info for info in packed.infolist() if not info.is_dir())
            yield (_Member(i.filename, i.file_size, partial(packed.open, i)) for i in infos)


def _choose(members: Iterable[_Member], inside: str, wanted: Wanted | None) -> list[_Member]:
    """The files under `inside` that are wanted, named by their path below it.

    Raises:
        ValueError: a name leads out of the folder.
    """
    chosen = []
    for member in members:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{member.name!r} leads out of the folder")
        if member.size < 0:  # Python before 3.11.14 and 3.12.12 reads such a tar for ever
            raise ValueError(f"{member.name!r} has {member.size} bytes")
        if path.is_relative_to(inside):
            name = str(path.relative_to(inside))
            if wanted is None or wanted(name):
                chosen.append(member._replace(name=name))
    return chosen


def _room(members: Iterable[_Member]) -> int:
    """Bytes of disk that the files need."""
    return sum(-(-member.size // BLOCK) * BLOCK for member in members)


def _write(member: _Member, target: Path) -> None:
    """Copy one member to `target`, which no other has written."""
    source = member.open()
    assert source is not None, "extractfile opens plain files"
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)


def _damage(archive: Path, error: Exception) -> str:
    """The message for an archive that cannot be read."""
    reason = str(error) or type(error).__name__
    return f"{archive} cannot be unpacked ({reason}); remove it and run the stage again"


def _move_in(staging: Path, folder: Path) -> None:
    """Make `staging` the new `folder`, or add its files that `folder` lacks."""
    os.sync()  # else a power cut could leave the folder with empty files
    if not folder.exists():
        os.replace(staging, folder)
        return
    for child in staging.iterdir():
        if not (folder / child.name).exists():
            os.replace(child, folder / child.name)
