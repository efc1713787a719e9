"""Outputs appear whole or not at all, and one process at a time makes them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.locks import acquire

PATIENCE = 15.0  # seconds to wait for another process: one that was asked to stop saves first


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise named(error, path)  # noqa: B904 - it is the same error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces `path` only if the block succeeds.

    Raises:
        UserError: another process is writing `path`, and does not end.
    """
    with exclusive(path) as part:
        try:
            yield part
            replace_folder(path, part)
        except OSError as error:
            raise named(error, path)  # noqa: B904 - it is the same error


@contextmanager
def exclusive(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that no other process has meanwhile; it goes at the end.

    Raises:
        UserError: another process is writing `path`, and does not end.
    """
    part = path.with_name(f".{path.name}.part")
    handle = acquire(part, _open_folder, PATIENCE)
    try:
        for child in part.iterdir():  # what a killed run left
            _remove(child)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(handle)


def replace_folder(path: Path, part: Path) -> None:
    """Put the folder `part` in the place of `path`, which is the old or the new at any moment."""
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    if path.exists():
        os.replace(path, old)
    os.replace(part, path)
    _remove(old)


def named(error: OSError, path: Path) -> OSError:
    """The error with a file's name: that of a full disk comes without one."""
    if error.filename is None:
        error.filename = str(path)
    return error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _open_folder(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder, os.O_RDONLY)
