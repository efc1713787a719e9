"""Before something large is written: is there room, and is no other process writing the same?"""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError

GB = 1e9


def need_room(folder: Path, size: int, what: str) -> None:
    """Ask for disk space before the first byte is written.

    Args:
        folder: an existing folder on the disk in question.
        size: bytes about to be written there.
        what: what needs them, for the message.

    Raises:
        UserError: less than that is free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{folder}: {what} needs {size / GB:.2f} GB, {free / GB:.2f} GB are free; make room "
            "or take another disk (data_root in params.yaml, TORCH_HOME for pretrained weights)"
        )


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold others of our processes off `path`: they wait until the block is done.

    Ranks of one run, and experiments in a queue, may want the same download at the same time. The
    lock is the kernel's, so a process that is killed leaves none behind; its file may stay.
    """
    lock = path.with_name(f".{path.name}.lock")
    file = _locked(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held, so nobody else's is removed
        file.close()


def _locked(lock: Path) -> BinaryIO:
    """The lock's open file, once it is ours."""
    while True:
        file = lock.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"waiting for another process, which holds {lock}\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            return file  # a file system without locks; most runs are alone anyway
        if _is_at(lock, file):
            return file
        file.close()  # whoever held it before us removed it


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether an open file is still the one that lies at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
