"""Outlines: painted by our reader they are the mask, exactly or to an IoU of 0.98."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from pipeline.data.images import Bytes
from pipeline.data.manifest import IGNORE
from pipeline.datasets.folder.annotated_image import area_of
from pipeline.datasets.reading.coco_instances import Instance, encode, rasterise
from pipeline.editable import outlines
from pipeline.editable.outlines import LEAST_IOU, Outlined, outline, without_specks


def painted(outlined: Outlined) -> Bytes:
    """The regions, painted as a folder's annotations are."""
    height, width = outlined.mask_HW.shape
    runs = [encode([r.ring_N2.ravel().tolist()], height, width) for r in outlined.regions]
    instances = [
        Instance(region.label, area_of(run, height, width), False, run)
        for region, run in zip(outlined.regions, runs, strict=True)
    ]
    return rasterise(instances, height, width)


def blobs(seed: int, classes: int, smooth: float, shape: tuple[int, int]) -> Bytes:
    """A mask of irregular regions of all sizes, many of them in others."""
    noise = np.random.default_rng(seed).normal(size=(classes, *shape))
    smoothed = np.stack([ndimage.gaussian_filter(each, smooth) for each in noise])
    return smoothed.argmax(0).astype(np.uint8)


def regions_of(mask_HW: Bytes) -> list[np.ndarray]:
    """Every connected region, as a mask, by a slow walk from pixel to pixel."""
    left, found = np.ones(mask_HW.shape, bool), []
    height, width = mask_HW.shape
    while left.any():
        start = tuple(int(axis[0]) for axis in np.nonzero(left))
        region, waiting = np.zeros(mask_HW.shape, bool), [start]
        while waiting:
            y, x = waiting.pop()
            inside = 0 <= y < height and 0 <= x < width
            if inside and left[y, x] and mask_HW[y, x] == mask_HW[start]:
                left[y, x], region[y, x] = False, True
                waiting += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        found.append(region)
    return found


@settings(max_examples=60, deadline=None)
@given(mask_HW=arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2), elements=st.integers(0, 3)))
def test_with_all_corners_it_is_the_mask(mask_HW: Bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlines, "COARSEST", 0)
        assert np.array_equal(painted(outline(mask_HW, 0)), mask_HW)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("smooth", [2, 4, 9])
def test_every_region_keeps_its_iou(seed: int, smooth: float) -> None:
    mask_HW = blobs(seed, 4, smooth, (90, 130))
    outlined = outline(mask_HW, 0)
    found_HW = painted(outlined)
    for region_HW in regions_of(mask_HW):
        (label,) = np.unique(mask_HW[region_HW])
        assert (found_HW[region_HW] == label).sum() >= LEAST_IOU * region_HW.sum()
    for label in range(4):  # where regions of a class gain pixels
        found, true = found_HW == label, mask_HW == label
        assert (found & true).sum() >= LEAST_IOU * (found | true).sum()


def test_corners_are_few() -> None:
    rows, columns = np.mgrid[:200, :200]
    disc_HW = ((rows - 100) ** 2 + (columns - 100) ** 2 < 60**2).astype(np.uint8)
    (disc,) = outline(disc_HW, 0).regions
    assert len(disc.ring_N2) < 30
    square_HW = np.zeros((50, 60), np.uint8)
    square_HW[10:30, 20:45] = 1
    (square,) = outline(square_HW, 0).regions
    assert np.allclose(square.ring_N2.min(axis=0), (20, 10), atol=0.5)
    assert np.allclose(square.ring_N2.max(axis=0), (45, 30), atol=0.5)
    assert len(square.ring_N2) <= 8


def test_a_hole_is_background_on_top() -> None:
    mask_HW = np.zeros((40, 40), np.uint8)
    mask_HW[5:35, 5:35] = 1
    mask_HW[12:28, 12:28] = 0
    mask_HW[16:20, 16:20] = 2
    outlined = outline(mask_HW, 0)
    assert [(r.label, r.holes) for r in outlined.regions] == [(1, True), (0, True), (2, False)]
    assert np.array_equal(painted(outlined), mask_HW)
    assert outline(np.zeros((9, 9), np.uint8), 0).regions == []


def test_specks_become_what_is_around() -> None:
    mask_HW = np.zeros((20, 20), np.uint8)
    mask_HW[:, 10:] = 2
    mask_HW[3, 3] = mask_HW[15, 15] = 1
    mask_HW[12:16, 2:6] = 3
    outlined = outline(mask_HW, 4 / 400)
    assert outlined.specks == 2
    assert (outlined.mask_HW[3, 3], outlined.mask_HW[15, 15]) == (0, 2)
    assert (outlined.mask_HW[12:16, 2:6] == 3).all()
    alone_HW = np.ones((1, 2), np.uint8)
    assert np.array_equal(without_specks(alone_HW, 5), alone_HW)


def test_what_has_no_class_is_left_to_the_person() -> None:
    mask_HW = np.full((8, 8), IGNORE, np.uint8)
    mask_HW[2:6, 2:6] = 1
    outlined = outline(mask_HW, 0)
    assert outlined.unknown == 48
    assert np.array_equal(painted(outlined), np.where(mask_HW == IGNORE, 0, mask_HW))
