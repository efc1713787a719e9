"""Outputs appear complete or not at all, and one process at a time writes them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.base.locks import locked

PATIENCE = 15.0  # seconds to wait for another process: one that is stopping saves first


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise with_filename(error, path)  # noqa: B904 - it is the same error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces `path` only if the block succeeds.

    Raises:
        UserError: another process is writing `path` and does not end.
    """
    with exclusive(path) as part:
        try:
            yield part
            replace_folder(path, part)
        except OSError as error:
            raise with_filename(error, path)  # noqa: B904 - it is the same error


@contextmanager
def exclusive(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` for this process alone; it is removed at the end.

    Raises:
        UserError: another process is writing `path` and does not end.
    """
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path, PATIENCE):
        _remove(part)  # what a killed run left
        part.mkdir()
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)


def replace_folder(path: Path, part: Path) -> None:
    """Replace the folder `path` by `part`; at any moment it is the old, the new or missing."""
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    if path.exists():
        os.replace(path, old)
    os.replace(part, path)
    _remove(old)


def with_filename(error: OSError, path: Path) -> OSError:
    """The error with a file name: that of a full disk has none."""
    if error.filename is None:
        error.filename = str(path)
    return error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
