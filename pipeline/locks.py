"""One process at a time: locks that go with their process, however it ends."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UserError


def acquire(path: Path, make: Callable[[Path], int], patience: float) -> int:
    """Lock a file or folder that is there as long as somebody holds it.

    Args:
        path: what to lock.
        make: makes it where it is missing and opens it.
        patience: seconds to wait for another process; longer than a moment is told.

    Returns:
        its open descriptor; closing it gives the lock back.

    Raises:
        UserError: another process holds it for longer.
    """
    started, told = time.monotonic(), False
    while True:
        handle = make(path)
        if _locked(handle):
            # Whoever held it may have removed or moved it while this process waited.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
            os.close(handle)
            continue
        os.close(handle)
        waited = time.monotonic() - started
        if waited > patience:
            raise UserError(f"another process holds {path}: wait for it or stop it")
        if waited > 1 and not told:
            told = True
            sys.stderr.write(f"waiting for another process, which holds {path}\n")
        time.sleep(0.1)


def _locked(handle: int) -> bool:
    """Lock what is open; a system that knows no such locks is taken to have granted it."""
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
