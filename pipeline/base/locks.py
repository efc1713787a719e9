"""Locks between processes; a lock ends with its process, however that ends."""

import errno
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.errors import UserError

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK)  # errors of network file systems without locks


@contextmanager
def locked(path: Path, patience: float = math.inf) -> Iterator[None]:
    """Keep other processes of this project away from `path` until the block ends.

    The lock file is `.<name>.lock` beside `path`. A killed process may leave the file behind, but
    not the lock. On a file system without locks, nothing is locked.

    Args:
        path: a file or folder, which need not exist, in an existing folder.
        patience: seconds to wait for another process.

    Raises:
        UserError: another process keeps it for longer.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, fallback_to_soft=False)
    try:
        _acquire(lock, path, patience)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # before the release, so that it is still ours
        lock.release()


def _acquire(lock: FileLock, path: Path, patience: float) -> None:
    """Wait for the lock; say so after a second."""
    try:
        lock.acquire(timeout=1.0)
        return
    except Timeout:
        sys.stderr.write(f"waiting for another process that is using {path}\n")
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise UserError(f"another process is using {path}: wait for it or stop it") from None
