"""Lists of image ids in files, one a line."""

from collections.abc import Iterable
from pathlib import Path


def write_ids(path: Path, ids: Iterable[str]) -> None:
    """Write a list of ids, with plain line ends on every platform."""
    path.write_text("".join(f"{image_id}\n" for image_id in ids), "utf-8", newline="\n")


def read_ids(path: Path) -> list[str]:
    """Read what `write_ids` wrote.

    Raises:
        UnicodeDecodeError: the file is not UTF-8.
    """
    # Not `splitlines`: it ends lines at characters that names of files may hold.
    return path.read_bytes().decode("utf-8").split("\n")[:-1]
