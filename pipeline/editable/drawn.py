"""What each format writes: the outlined mask of one photograph, and where its files go."""

import os
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.editable.outlines import Outlined


class Drawn(NamedTuple):
    """One photograph with its outlined mask.

    Attributes:
        photograph: the file.
        name: what the annotation tool calls it: with suffix, and a / between folders.
        outlined: its mask.
    """

    photograph: Path
    name: str
    outlined: Outlined

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.outlined.mask_HW.shape
        return width, height


class Writer(Protocol):
    """Writes drawn photographs in the format of an annotation tool."""

    def add(self, drawn: Drawn) -> None:
        """Take the next photograph."""

    def finish(self) -> list[Path]:
        """Write what is left; the files of annotations, as our reader of the format takes them."""


def path_from(folder: Path, photograph: Path) -> str:
    """The way from a folder to a photograph, with plain slashes."""
    return Path(os.path.relpath(photograph, folder)).as_posix()


def run_lengths(pixels_N: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of pixels, first of those outside, then inside, and so on.

    >>> run_lengths(np.array([True, True, False]))
    [0, 2, 1]
    """
    ends = np.flatnonzero(pixels_N[1:] != pixels_N[:-1]) + 1
    runs: list[int] = np.diff([0, *ends, len(pixels_N)]).tolist()
    return [0, *runs] if pixels_N[0] else runs
