"""A mask as outlines that a person can edit: few corners, and painted they give the mask back.

The outer edge of every connected region of every class, painted from large to small, is the mask
exactly: what lies in a hole has an outline of its own, the background there too. Corners are then
left out as long as every region keeps an IoU of 0.98 with what is painted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from pycocotools import mask as rle
from scipy import ndimage
from shapely import Polygon

from pipeline.data.images import Bytes
from pipeline.data.manifest import IGNORE

LEAST_IOU = 0.98
COARSEST = 1 / 128  # of the longer side: how far a corner may be moved at first
FINEST = 0.25  # pixels; below that nothing is moved

Points = NDArray[np.float64]
Numbers = NDArray[np.int32]


class Region(NamedTuple):
    """One connected region.

    Attributes:
        label: class index; 0 is a hole in the regions before it.
        ring_N2: corners x, y of its outer edge, in pixels from the corner of the image.
        top, left: where its box begins in the image.
        pixels_hw: its pixels in its box.
        holes: whether it has any.
    """

    label: int
    ring_N2: Points
    top: int
    left: int
    pixels_hw: NDArray[np.bool_]
    holes: bool


class Outlined(NamedTuple):
    """A mask in outlines.

    Attributes:
        mask_HW: the mask without specks and without 255.
        regions: what to paint on background, in this order.
        specks: the number of pixels that were in specks.
        unknown: the number of pixels that were 255; they are background here.
    """

    mask_HW: Bytes
    regions: list[Region]
    specks: int
    unknown: int

    @property
    def objects(self) -> list[Region]:
        """The regions that are no holes."""
        return [region for region in self.regions if region.label]


def outline(mask_HW: Bytes, specks: float) -> Outlined:
    """Outline a mask of class indices.

    Args:
        mask_HW: 255 is left to the person who edits: it becomes background.
        specks: regions with less than this share of the image become what is around them.
    """
    unknown = int((mask_HW == IGNORE).sum())
    known_HW = np.where(mask_HW == IGNORE, 0, mask_HW).astype(np.uint8)
    clean_HW = without_specks(known_HW, specks * mask_HW.size)
    pieces, numbers_HW = take_apart(clean_HW)
    simplify(pieces, numbers_HW)
    drawn = (pieces[place] for place in painting_order(pieces))
    regions = [piece.region._replace(ring_N2=piece.ring_N2) for piece in drawn]
    return Outlined(clean_HW, regions, int((clean_HW != known_HW).sum()), unknown)


def without_specks(mask_HW: Bytes, smallest: float) -> Bytes:
    """The mask with every region below `smallest` pixels as the nearest of the others."""
    small_HW = np.zeros(mask_HW.shape, bool)
    for label in np.unique(mask_HW):
        numbers_HW, _ = ndimage.label(mask_HW == label)
        small_HW |= (mask_HW == label) & (np.bincount(numbers_HW.ravel()) < smallest)[numbers_HW]
    if not small_HW.any() or small_HW.all():
        return mask_HW
    nearest_2HW = ndimage.distance_transform_edt(
        small_HW, return_distances=False, return_indices=True
    )
    cleaned: Bytes = mask_HW[tuple(nearest_2HW)]
    return cleaned


@dataclass
class Piece:
    """A region while its corners are thinned.

    Attributes:
        region: with all corners.
        ring_N2: those that are left.
        tolerance: pixels that they may be off.
        top, left: where `painted_hw` begins in the image.
        painted_hw: the pixels inside the ring.
    """

    region: Region
    tolerance: float
    ring_N2: Points
    top: int
    left: int
    painted_hw: NDArray[np.bool_]

    def thin(self, shape: tuple[int, int]) -> None:
        """Leave out corners, as far as the tolerance lets it."""
        self.ring_N2 = self.region.ring_N2
        if self.tolerance:
            polygon = Polygon(self.ring_N2).simplify(self.tolerance)
            self.ring_N2 = np.asarray(polygon.exterior.coords)[:-1]
        self.top, self.left, self.painted_hw = paint(self.ring_N2, shape)


def take_apart(mask_HW: Bytes) -> tuple[list[Piece], Numbers]:
    """The regions that have to be painted, and their numbers in the image from 1 on, (H, W).

    Those are all objects, and background that lies within one.
    """
    pieces: list[Piece] = []
    numbers_HW = np.zeros(mask_HW.shape, np.int32)
    covered_HW = np.zeros(mask_HW.shape, bool)
    coarsest = max(mask_HW.shape) * COARSEST
    for label in sorted(map(int, np.unique(mask_HW)), reverse=True):  # background at last
        found_HW, _ = ndimage.label(mask_HW == label)
        for number, box in enumerate(ndimage.find_objects(found_HW), start=1):
            own_hw = found_HW[box] == number
            if label == 0 and not covered_HW[box][own_hw].any():
                continue
            filled_hw = ndimage.binary_fill_holes(own_hw)
            covered_HW[box] |= filled_hw
            top, left = box[0].start, box[1].start
            ring_N2 = outer_edge(filled_hw, top, left)
            holes = bool((filled_hw != own_hw).any())
            region = Region(label, ring_N2, top, left, own_hw, holes)
            pieces.append(Piece(region, coarsest, ring_N2, top, left, filled_hw))
            numbers_HW[box][own_hw] = len(pieces)
    return pieces, numbers_HW


def outer_edge(filled_hw: NDArray[np.bool_], top: int, left: int) -> Points:
    """Corners (N, 2) around a region without holes, whose box begins at `top` and `left`.

    The line runs half-way between the middles of pixels, so half a pixel is added: corners count
    from the edges of pixels.
    """
    padded_hw = np.pad(filled_hw, 1).astype(np.float64)
    line = contour_generator(z=padded_hw).lines(0.5)[0]
    return np.asarray(line)[:-1] - 0.5 + (left, top)


def paint(ring_N2: Points, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
    """Top, left and pixels of what a ring encloses, as `rasterise` paints it."""
    left, top = np.maximum(np.floor(ring_N2.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(ring_N2.max(axis=0)).astype(int) + 1, shape[::-1])
    corners = (ring_N2 - (left, top)).ravel().tolist()
    (runs,) = rle.frPyObjects([corners], int(bottom - top), int(right - left))
    return int(top), int(left), rle.decode(runs).astype(bool)


def simplify(pieces: Sequence[Piece], numbers_HW: Numbers) -> None:
    """Thin the corners of all regions until each has an IoU of 0.98 in the painted image.

    One that has less is drawn twice as finely; where it has all its corners already, those are that
    took pixels of it or lost some to it. That ends: with all corners the image is exact.
    """
    waiting = set(range(1, len(pieces) + 1))
    while waiting:
        for number in waiting:
            pieces[number - 1].thin(numbers_HW.shape)
        waiting = set()
        for bad, mixed in too_different(numbers_HW, paint_all(pieces, numbers_HW.shape)).items():
            own = {bad} if bad and pieces[bad - 1].tolerance else mixed
            waiting |= {number for number in own if number and pieces[number - 1].tolerance}
        for number in waiting:
            finer = pieces[number - 1].tolerance / 2
            pieces[number - 1].tolerance = finer if finer >= FINEST else 0.0


def paint_all(pieces: Sequence[Piece], shape: tuple[int, int]) -> Numbers:
    """The numbers of the regions, painted from large to small as `rasterise` paints them."""
    painted_HW = np.zeros(shape, np.int32)
    for place in painting_order(pieces):
        piece = pieces[place]
        height, width = piece.painted_hw.shape
        box = slice(piece.top, piece.top + height), slice(piece.left, piece.left + width)
        painted_HW[box][piece.painted_hw] = place + 1
    return painted_HW


def painting_order(pieces: Sequence[Piece]) -> list[int]:
    """The places of the regions from large to small, in their order where equal: `rasterise`'s."""
    return sorted(range(len(pieces)), key=lambda place: -pieces[place].painted_hw.sum())


def too_different(true_HW: Numbers, painted_HW: Numbers) -> dict[int, set[int]]:
    """The numbers whose region has too small an IoU, each with those that it is mixed up with."""
    differs_HW = true_HW != painted_HW
    count = int(true_HW.max()) + 1
    true_N = np.bincount(true_HW.ravel(), minlength=count)
    painted_N = np.bincount(painted_HW.ravel(), minlength=count)
    both_N = true_N - np.bincount(true_HW[differs_HW], minlength=count)
    bad_N = both_N < LEAST_IOU * (true_N + painted_N - both_N)
    found: dict[int, set[int]] = {int(number): set() for number in np.flatnonzero(bad_N)}
    pairs = np.unique(np.stack([true_HW[differs_HW], painted_HW[differs_HW]], axis=1), axis=0)
    for one, other in [*pairs.tolist(), *pairs[:, ::-1].tolist()]:
        if one in found:
            found[one].add(other)
    return found
