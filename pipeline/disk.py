"""Before something large is written: is there room, and is no other process writing the same?"""

import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.locks import acquire

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
    handle = acquire(lock, lambda file: os.open(file, os.O_RDWR | os.O_CREAT, 0o644), math.inf)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held, so nobody else's is removed
        os.close(handle)
