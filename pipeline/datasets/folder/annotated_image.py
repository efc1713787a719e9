"""The one form of what annotation tools export: outlines, boxes and tags of an image.

An outline gives the pixels of an object. A box only says that it contains one; in an image that has
outlines as well, the pixels of the box are unknown. Whatever is annotated is a tag of its image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from pycocotools import mask as rle

from pipeline.data.images import Bytes
from pipeline.datasets.reading.coco_instances import encode, finite
from pipeline.datasets.reading.odd_values import OddValueError

SHARES = "outlines and boxes in shares of the image's sides, read as pixels"
ROUND = 128  # corners of a circle; at a radius of 1,000 pixels they are off by a third of one


class AnnotatedObject(NamedTuple):
    """One object: class name, run lengths of its pixels, area in pixels.

    `known`: these are the object's pixels, else it is somewhere among them. A higher `layer` lies
    on top.
    """

    name: str
    runs: bytes
    area: float
    known: bool = True
    layer: int = 0


@dataclass
class AnnotatedImage:
    """The annotations of one image.

    Attributes:
        source: names it in messages.
        file_name: of the image, as the tool writes it.
        width, height: in pixels.
        objects: what has pixels.
        tags: names of all that is annotated.
        flags: names that are tags only if they are classes; the tool's users also note with them
            that an image is blurred, or done.
        part: of the split, where the file says that: train, val or test.
        shares: how many outlines and boxes were in shares of the image's sides.
    """

    source: str
    file_name: str
    width: int
    height: int
    objects: list[AnnotatedObject] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    part: str | None = None
    shares: int = 0

    def add(self, name: str, runs: bytes, known: bool = True, layer: int = 0) -> None:
        """Add an object; one without a pixel in the image, a stray click, is only a tag."""
        self.tags.add(name)
        area = area_of(runs, self.height, self.width)
        if area:
            self.objects.append(AnnotatedObject(name, runs, area, known, layer))

    def add_polygon(self, name: str, corners: Sequence[float], layer: int = 0) -> None:
        """Add an outline by its corners x, y, x, y, ...; raises what `encode` does."""
        if len(corners) < 6:
            raise OddValueError("a polygon with fewer than three corners")
        self.add(name, encode([list(corners)], self.height, self.width), layer=layer)

    def add_box(self, name: str, corners: Sequence[float]) -> None:
        """Add a box by its corners x, y, x, y, ...; raises what `encode` does."""
        self.add(name, encode([list(corners)], self.height, self.width), known=False)

    def in_pixels(self, corners: Sequence[float]) -> list[float]:
        """Corners x, y, x, y, ... in pixels; they may be in shares of the image's sides."""
        inside = min(corners, default=2) >= -0.1 and max(corners, default=2) <= 1.1
        # Whole numbers are pixels: tools trace a speck in the corner from 0 to 1.
        if not inside or all(value % 1 == 0 for value in corners):
            return list(corners)
        self.shares += 1
        sides = (self.width, self.height)
        return [value * sides[place % 2] for place, value in enumerate(corners)]

    def add_bitmap(self, name: str, part_HW: Bytes, left: int, top: int, layer: int = 0) -> None:
        """Add an outline by its pixels, (H, W), whose top left corner is at `left` and `top`.

        What reaches over the image's edge is cut off.
        """
        height, width = part_HW.shape
        right, bottom = left + width, top + height
        if right <= 0 or bottom <= 0 or left >= self.width or top >= self.height:
            raise OddValueError(f"a mask outside its image of {self.width}x{self.height} pixels")
        whole_HW = np.zeros((self.height, self.width), np.uint8, order="F")
        whole_HW[max(top, 0) : bottom, max(left, 0) : right] = part_HW[
            max(-top, 0) : self.height - top, max(-left, 0) : self.width - left
        ]
        self.add(name, bytes(rle.encode(whole_HW)["counts"]), layer=layer)


def area_of(runs: bytes, height: int, width: int) -> float:
    """The number of pixels in run lengths."""
    return float(rle.area({"size": [height, width], "counts": runs})) if runs else 0.0


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    """The corners x, y, x, y, ... of a box.

    >>> rectangle(1, 2, 3, 4)
    [1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 1.0, 4.0]
    """
    left, top, right, bottom = map(finite, (left, top, right, bottom))
    return [left, top, right, top, right, bottom, left, bottom]


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> list[float]:
    """Corners x, y, x, y, ... on an ellipse around (x, y)."""
    x, y, radius_x, radius_y = map(finite, (x, y, radius_x, radius_y))
    angles = [2 * math.pi * step / ROUND for step in range(ROUND)]
    corners = [(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles]
    return [value for corner in corners for value in corner]


def rotated(corners: Sequence[float], degrees: float) -> list[float]:
    """Corners x, y, x, y, ... turned clockwise, as seen on a screen, around their middle."""
    xs, ys = corners[::2], corners[1::2]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    angle = math.radians(finite(degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    turned = [
        (
            middle_x + (x - middle_x) * cos - (y - middle_y) * sin,
            middle_y + (x - middle_x) * sin + (y - middle_y) * cos,
        )
        for x, y in zip(xs, ys, strict=True)
    ]
    return [value for corner in turned for value in corner]
