"""Outputs appear whole or not at all, and one process at a time makes them."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

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
        UserError: another process is writing `path`.
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
        UserError: another process is writing `path`.
    """
    part = path.with_name(f".{path.name}.part")
    handle = _lock(part)
    if handle is None:
        raise UserError(
            f"another process is writing {path}: wait for it or stop it, then run again"
        )
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


def _lock(folder: Path) -> int | None:
    """Make a folder and lock it; its open descriptor, or None if another process keeps it."""
    last = time.monotonic() + PATIENCE
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        if _locked(handle):
            # Whoever had it may have moved it into place while this process waited.
            if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
            os.close(handle)
            continue
        os.close(handle)
        if time.monotonic() > last:
            return None
        time.sleep(0.1)


def _locked(handle: int) -> bool:
    """Lock an open folder; a system that knows no such locks is taken to have granted it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # network file systems without locks
        return True
    return True
