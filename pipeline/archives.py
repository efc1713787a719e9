"""Archives on the web: fetched whole, unpacked safely, and only as far as they are needed."""

import errno
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.errors import UserError
from pipeline.fetch import fetch
from pipeline.progress import track

DOWNLOADS = "downloads"  # folder under data_root that keeps the archives as they came

Wanted = Callable[[str], bool]
# What the libraries raise on archives that are damaged, locked or packed in a way they do not know.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error),
    *(ValueError, RuntimeError, KeyError, IndexError, OverflowError, NotImplementedError),
)
# What the system says to impossible places and names in an archive; without a number it is the
# libraries' own. Full disks and the like are no damage.
IMPOSSIBLE = (None, errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


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
        UserError: it cannot be downloaded or unpacked.
    """
    path = data_root / DOWNLOADS / archive.name
    fetch(archive.urls, path, archive.md5, archive.size)
    unpack(path, folder, archive.inside, wanted)


def unpack(archive: Path, folder: Path, inside: str = "", wanted: Wanted | None = None) -> None:
    """Unpack what lies under `inside` in a tar or zip, so that it becomes `folder`.

    `folder` appears whole or not at all. Where it exists already, what it lacks is added and
    what it holds is left alone.

    Args:
        archive: path of a tar (compressed or not) or zip.
        folder: what the archive's folder `inside` becomes.
        inside: folder in the archive, "" for all of it.
        wanted: says of each file, by its path below `inside`, whether to unpack it.

    Raises:
        UserError: the archive is damaged, is no archive, holds a path that leads out of `folder`,
            or holds nothing wanted.
    """
    staging = folder.with_name(f".{folder.name}.unpacked")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    extract, count = _extract_tar, 0  # a tar does not say how many files it holds
    try:
        if not tarfile.is_tarfile(archive):
            extract, count = _extract_zip, _zip_count(archive)
        names = extract(archive, staging, PurePosixPath(inside), wanted)
        if not sum(1 for _ in track(names, f"unpack {archive.name}", count)):
            raise UserError(f"{archive} holds no file under {inside!r} that is needed")
        _move_in(staging, folder)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in IMPOSSIBLE:
            raise
        raise UserError(
            f"{archive} cannot be unpacked ({error}); remove it and run the stage again"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract_tar(
    archive: Path, folder: Path, inside: PurePosixPath, wanted: Wanted | None
) -> Iterator[str]:
    """Extract members one after the other, as a compressed tar is read only once that way."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = _select(member.name, inside, wanted)
            if member.isdir() or name is None:
                continue
            source = tar.extractfile(member) if member.isreg() else None
            if source is None:
                raise tarfile.ExtractError(f"it holds {member.name!r}, which is no plain file")
            _write(source, folder, name)
            yield name


def _extract_zip(
    archive: Path, folder: Path, inside: PurePosixPath, wanted: Wanted | None
) -> Iterator[str]:
    """Extract members by the zip's own list."""
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            name = _select(member.filename, inside, wanted)
            if member.is_dir() or name is None:
                continue
            with packed.open(member) as source:
                _write(source, folder, name)
            yield name


def _write(source: IO[bytes], folder: Path, name: str) -> None:
    """Copy one member to `folder`/`name`, unless that leads out of the folder."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise tarfile.ExtractError(f"it holds the path {name!r}, which leads out of the folder")
    target = folder / pure
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _zip_count(archive: Path) -> int:
    """Number of entries in a zip."""
    with zipfile.ZipFile(archive) as packed:
        return len(packed.infolist())


def _select(name: str, inside: PurePosixPath, wanted: Wanted | None) -> str | None:
    """Path below `inside`; None for what lies elsewhere or is not wanted."""
    pure = PurePosixPath(name)
    if not pure.is_relative_to(inside):
        return None
    below = str(pure.relative_to(inside))
    return below if wanted is None or wanted(below) else None


def _move_in(staging: Path, folder: Path) -> None:
    """Make `staging` the new `folder`, or add to the `folder` what it lacks."""
    if not folder.exists():
        os.replace(staging, folder)
        return
    for child in staging.iterdir():
        if not (folder / child.name).exists():
            os.replace(child, folder / child.name)
