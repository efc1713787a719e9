"""Masks that a reader makes one by one; a stage that was stopped resumes after the last of them.

They are kept in data/checkpoints/download-<key>/masks, named by the checksums of their image's id
and of themselves. The key depends on the code, the packages and the files that they are made from
(pipeline.runs.work_key).
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.base.atomic import whole_file
from pipeline.data.images import Bytes, read_mask, write_mask
from pipeline.data.manifest import ClassList
from pipeline.datasets.reading.findings import DataError
from pipeline.runs.work_folder import close_work, open_work
from pipeline.runs.work_key import Key, made_from
from pipeline.settings.paths import CHECKPOINTS

WORK = "download"
CODE = ("pipeline/data", "pipeline/datasets")  # what decides how they look


class ResumableMasks:
    """The masks of one data set, made one by one."""

    def __init__(self, work: Path, folder: Path, classes: ClassList) -> None:
        """Keep masks in `work` and link them into `folder`; reuse what a stopped run has made."""
        self._work, self._folder, self._classes = work, folder, classes
        for place in (work, folder):
            place.mkdir(exist_ok=True)
        found = work.glob(f"{'?' * 16}-{'?' * 16}.png")
        self._known = {path.name[:16]: path.stem[17:] for path in found}
        if self._known:
            sys.stderr.write(f"masks: resumes after {len(self._known)}\n")

    def make(self, name: str, paint: Callable[[], Bytes]) -> tuple[Bytes, bytes]:
        """Put the mask of an image into the folder; paint it if no stopped run has.

        Args:
            name: the image's id.
            paint: makes the mask.

        Returns:
            class indices, (H, W), and the bytes of the palette PNG.
        """
        title = _digits(name.encode())
        path = self._work / f"{title}-{self._known.get(title)}.png"
        data = path.read_bytes() if title in self._known else b""
        if data and path.stem.endswith(_digits(data)):
            mask_HW: Bytes = np.asarray(read_mask(path, data=data))
        else:
            mask_HW = paint()
            path, data = self._write(title, mask_HW)
        _link(path, self._folder / f"{name}.png")
        return mask_HW, data

    def _write(self, title: str, mask_HW: Bytes) -> tuple[Path, bytes]:
        """Write a mask; its name, with the checksum, appears when it is complete."""
        drawn = self._work / f".{title}"
        write_mask(drawn, mask_HW, self._classes)
        data = drawn.read_bytes()
        path = self._work / f"{title}-{_digits(data)}.png"
        os.replace(drawn, path)
        return path, data


@contextmanager
def resumable_masks(
    folder: Path, classes: ClassList, files: Iterable[Path], *packages: str
) -> Iterator[ResumableMasks]:
    """Yield the masks of a data set; if the block is stopped, those made so far are kept.

    Args:
        folder: the data set's folder; they are put in its masks/. No other process writes it
            (`atomic.exclusive`).
        classes: its classes, which give the palette.
        files: what the masks are made from.
        packages: the libraries that make them.
    """
    palette = {"classes": list(classes.names)}
    key = Key({**palette, **made_from(CODE, files, "numpy", "pillow", *packages)})
    root = folder.parent / CHECKPOINTS.name
    work = open_work(WORK, key, root)
    try:
        yield ResumableMasks(work / "masks", folder / "masks", classes)
    except DataError:  # the user will change the data set
        close_work(WORK, key, root)
        raise
    close_work(WORK, key, root)


def _link(source: Path, target: Path) -> None:
    """Make a hard link, or a copy if the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        with whole_file(target) as part:
            shutil.copyfile(source, part)


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
