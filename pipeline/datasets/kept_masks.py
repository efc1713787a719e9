"""Masks that a reader makes, kept until all of them are there: a stage that was stopped goes on.

They lie in data/checkpoints/download-<key>/masks, named by their image's and their own checksum;
the key is of the code, the packages and the files they are made from (pipeline.keys).
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.atomic import whole_file
from pipeline.datasets.problems import DataError
from pipeline.images import Bytes, read_mask, write_mask
from pipeline.keys import Key, close_work, made_from, open_work
from pipeline.manifest import ClassList
from pipeline.paths import CHECKPOINTS

WORK = "download"


class KeptMasks:
    """The masks of one data set, made one by one."""

    def __init__(self, kept: Path, folder: Path, classes: ClassList) -> None:
        """Masks are kept in `kept` and belong in `folder`; what a stopped run left is taken up."""
        self._kept, self._folder, self._classes = kept, folder, classes
        for place in (kept, folder):
            place.mkdir(exist_ok=True)
        found = kept.glob(f"{'?' * 16}-{'?' * 16}.png")
        self._known = {path.name[:16]: path.stem[17:] for path in found}
        if self._known:
            sys.stderr.write(f"masks: goes on after {len(self._known)}\n")

    def make(self, name: str, paint: Callable[[], Bytes]) -> tuple[Bytes, bytes]:
        """Put the mask of an image into the folder, painted only if no stopped run has done it.

        Args:
            name: the image's id.
            paint: makes the mask.

        Returns:
            class indices, (H, W), and the bytes of the palette PNG.
        """
        title = _digits(name.encode())
        path = self._kept / f"{title}-{self._known.get(title)}.png"
        data = path.read_bytes() if title in self._known else b""
        if data and path.stem.endswith(_digits(data)):
            mask_HW: Bytes = np.asarray(read_mask(path, data=data))
        else:
            mask_HW = paint()
            path, data = self._keep(title, mask_HW)
        _link(path, self._folder / f"{name}.png")
        return mask_HW, data

    def _keep(self, title: str, mask_HW: Bytes) -> tuple[Path, bytes]:
        """Write a mask; under its name it is whole."""
        drawn = self._kept / f".{title}"
        write_mask(drawn, mask_HW, self._classes)
        data = drawn.read_bytes()
        path = self._kept / f"{title}-{_digits(data)}.png"
        os.replace(drawn, path)
        return path, data


@contextmanager
def kept_masks(
    folder: Path, classes: ClassList, files: Iterable[Path], *packages: str
) -> Iterator[KeptMasks]:
    """Yield what makes the masks of a data set; they stay kept where the block is stopped.

    Args:
        folder: the data set's folder, whose masks/ they belong in. Nobody else is at work beside
            it (`atomic.exclusive`).
        classes: its classes; they give the palette.
        files: what the masks are made from.
        packages: the libraries that make them.
    """
    palette = {"classes": list(classes.names)}
    key = Key({**palette, **made_from(files, "numpy", "pillow", *packages)})
    root = folder.parent / CHECKPOINTS.name
    work = open_work(WORK, key, root)
    try:
        yield KeptMasks(work / "masks", folder / "masks", classes)
    except DataError:  # another data set will come in its place
        close_work(WORK, key, root)
        raise
    close_work(WORK, key, root)


def _link(source: Path, target: Path) -> None:
    """One file under two names; a copy where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        with whole_file(target) as part:
            shutil.copyfile(source, part)


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
