"""Check for free disk space before something large is written."""

import shutil
from pathlib import Path

from pipeline.base.errors import UserError

GB = 1e9


def need_room(folder: Path, size: int, what: str) -> None:
    """Check that a disk has room for what will be written.

    Args:
        folder: an existing folder on the disk.
        size: bytes that will be written there.
        what: what needs them, for the message.

    Raises:
        UserError: less than that is free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{folder}: {what} needs {size / GB:.2f} GB, {free / GB:.2f} GB are free; make room "
            "or use another disk (data_root in params.yaml, TORCH_HOME for pretrained weights)"
        )
