"""What a tar or zip holds, looked through as a whole before anything of it is written.

Nothing in an archive is trusted: it may be another than was meant, or made to do harm. What is
unpacked are plain files inside the folder, not too many, not too large, and each under a name that
every file system can hold beside the others.
"""

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

Wanted = Callable[[str], bool]

# The largest data set we know, COCO's train2017, has 118,287 files and 19 GB.
MAX_FILES = 500_000
MAX_BYTES = 100 * 10**9
MAX_DEPTH = 50  # folders in folders
MAX_NAME = 255  # bytes in the name of one file or folder, as on most file systems
MAX_PATH = 1024  # bytes in a whole path; macOS has no longer ones


class UnsafeError(Exception):
    """The archive holds what must not be unpacked."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive: a file, a folder, or something else, which has no `open`."""

    name: str
    size: int
    folder: bool
    open: Callable[[], IO[bytes] | None] | None


@contextmanager
def members_of(archive: Path) -> Iterator[Iterable[Member]]:
    """Open a tar, compressed or not, or a zip, and yield its members.

    Raises:
        tarfile.TarError, zipfile.BadZipFile, ...: it is damaged or is no archive.
    """
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield (_tar_member(tar, info) for info in tar)
    else:
        with zipfile.ZipFile(archive) as packed:
            yield (_zip_member(packed, info) for info in packed.infolist())


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    """A tar's entry; links, devices and pipes cannot be opened."""
    opener = partial(tar.extractfile, info) if info.isreg() else None
    return Member(info.name, info.size, info.isdir(), opener)


def _zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    """A zip's entry; one made under Unix says in its mode if it is a link or a device."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    opener = partial(packed.open, info) if kind in (0, stat.S_IFREG) else None
    return Member(info.filename, info.file_size, info.is_dir(), opener)


def choose(members: Iterable[Member], inside: str, wanted: Wanted | None) -> list[Member]:
    """The files under `inside` that are wanted, named by their path below it.

    Raises:
        UnsafeError: the archive is too large, a name leads out of the folder, or a file to be
            unpacked is no plain file or has a name that cannot stand.
    """
    chosen, total = [], 0
    for count, member in enumerate(members, start=1):
        total += member.size
        # Also of members that are not wanted: they are decompressed on the way, too.
        if member.size < 0 or total > MAX_BYTES:
            raise UnsafeError(f"more than {MAX_BYTES / 1e9:.0f} GB, at {member.name!r}")
        if count > MAX_FILES:
            raise UnsafeError(f"more than {MAX_FILES} files")
        path = _inner_path(member.name)
        if member.folder or not path.is_relative_to(inside):
            continue
        below = path.relative_to(inside)
        if below.parts and (wanted is None or wanted(str(below))):
            if member.open is None:
                raise UnsafeError(f"{member.name!r}, which is no plain file")
            chosen.append(replace(member, name=str(below)))
    _check_clashes(chosen)
    return chosen


def _inner_path(name: str) -> PurePosixPath:
    """A member's path, if it stays inside the archive and file systems can hold it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UnsafeError(f"{name!r}, which leads out of the folder")
    if "\0" in name:
        raise UnsafeError(f"{name!r}, a name with a NUL byte")
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    too_deep = len(path.parts) > MAX_DEPTH or len(os.fsencode(name)) > MAX_PATH
    if longest > MAX_NAME or too_deep:
        raise UnsafeError(f"{name[:40]!r}..., a name too long or too deep for file systems")
    return path


def _check_clashes(members: Iterable[Member]) -> None:
    """Refuse two members that would be one file where upper and lower case are the same."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}  # with one of the files in each
    for member in members:
        key = member.name.casefold()
        if key in files:
            raise UnsafeError(f"{files[key]!r} and {member.name!r}, one file on some file systems")
        files[key] = member.name
        for parent in PurePosixPath(key).parents:
            if str(parent) in folders:
                break  # and so are the folders around it
            folders[str(parent)] = member.name
    for key in files.keys() & folders.keys():
        raise UnsafeError(f"{files[key]!r} as a file and as the folder of {folders[key]!r}")
