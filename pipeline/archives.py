"""Archives on the web: fetched whole, unpacked safely, and only as far as they are needed."""

import errno
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.disk import alone, need_room
from pipeline.errors import UserError
from pipeline.fetch import fetch
from pipeline.members import Member, UnsafeError, Wanted, choose, members_of
from pipeline.progress import track

DOWNLOADS = "downloads"  # folder under data_root that keeps the archives as they came
BLOCK = 4096  # bytes: files take whole blocks of the disk

# What the libraries raise on archives that are damaged, locked or packed in a way they do not know.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error),
    *(ValueError, RuntimeError, KeyError, IndexError, OverflowError),
)
# An OSError of gzip's or bzip2's own has no number; a zip may send us to a place before its start.
NO_FAULT_OF_THE_DISK = (None, errno.EINVAL)


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
        raise UserError(f"{folder} is a file, but has to be a folder: move it away")
    path = data_root / DOWNLOADS / archive.name
    fetch(archive.urls, path, f"md5:{archive.md5}", archive.size)
    unpack(path, folder, archive.inside, wanted)


def unpack(archive: Path, folder: Path, inside: str = "", wanted: Wanted | None = None) -> None:
    """Unpack what lies under `inside` in a tar or zip, so that it becomes `folder`.

    `folder` appears whole or not at all. Where it exists already, what it lacks is added and
    what it holds is left alone. What a killed run left behind is removed.

    Args:
        archive: path of a tar (compressed or not) or zip.
        folder: what the archive's folder `inside` becomes.
        inside: folder in the archive, "" for all of it.
        wanted: says of each file, by its path below `inside`, whether to unpack it.

    Raises:
        UserError: the archive is damaged, is no archive, holds what must not be unpacked (see
            `pipeline.members`) or nothing wanted; or the disk has no room for it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        staging = folder.with_name(f".{folder.name}.unpacked")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            _extract(archive, staging, inside, wanted)
            _move_in(staging, folder)
        except UnsafeError as error:
            raise UserError(f"{archive} cannot be unpacked: it holds {error}") from error
        except DAMAGE as error:
            raise UserError(_damage(archive, error)) from error
        except OSError as error:
            if error.errno not in NO_FAULT_OF_THE_DISK:
                raise
            raise UserError(_damage(archive, error)) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _extract(archive: Path, staging: Path, inside: str, wanted: Wanted | None) -> None:
    """Look through the archive, ask for room, and only then write the files."""
    with members_of(archive) as members:
        chosen = choose(members, inside, wanted)
        if not chosen:
            raise UserError(f"{archive} holds no file under {inside!r} that is needed")
        need_room(staging.parent, _room(chosen), f"what {archive.name} holds")
        for member in track(chosen, f"unpack {archive.name}"):
            _write(member, staging / member.name)


def _room(members: Iterable[Member]) -> int:
    """Bytes of disk that the files take."""
    return sum(-(-member.size // BLOCK) * BLOCK for member in members)


def _write(member: Member, target: Path) -> None:
    """Copy one member to `target`."""
    source = member.open() if member.open else None
    assert source is not None, "choose() refuses what is no plain file"
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)


def _damage(archive: Path, error: Exception) -> str:
    """The message for an archive that cannot be read."""
    reason = str(error) or type(error).__name__
    return f"{archive} cannot be unpacked ({reason}); remove it and run the stage again"


def _move_in(staging: Path, folder: Path) -> None:
    """Make `staging` the new `folder`, or add to the `folder` what it lacks."""
    os.sync()  # else a power cut could leave the folder in place and its files empty
    if not folder.exists():
        os.replace(staging, folder)
        return
    for child in staging.iterdir():
        if not (folder / child.name).exists():
            os.replace(child, folder / child.name)
