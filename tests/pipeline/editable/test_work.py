"""The count of clicks: known masks."""

import numpy as np

from docs.results.next.work import clicks
from pipeline.editable.outlines import outline


def square(left: int, top: int, side: int) -> np.ndarray:
    mask_HW = np.zeros((128, 128), np.uint8)
    mask_HW[top : top + side, left : left + side] = 1
    return mask_HW


def test_what_is_right_takes_no_click_and_what_is_missing_as_many_as_to_draw() -> None:
    true_HW = square(30, 30, 60)
    corners = len(outline(true_HW, 0.0).regions[0].ring_N2)
    assert clicks(true_HW, true_HW) == (corners, 0)
    assert clicks(true_HW, square(31, 30, 60)) == (corners, 0)  # within the tolerance of 2 pixels
    assert clicks(true_HW, np.zeros_like(true_HW)) == (corners, corners)


def test_a_side_that_is_off_costs_its_corners() -> None:
    true_HW, proxy_HW = square(30, 30, 60), square(30, 30, 60)
    proxy_HW[30:90, 90:110] = 1  # too far to the right
    drawing, correcting = clicks(true_HW, proxy_HW)
    moved = sum(x > 92 for x, _ in outline(proxy_HW, 0.0).regions[0].ring_N2)
    added = sum(x > 88 for x, _ in outline(true_HW, 0.0).regions[0].ring_N2)
    assert moved <= correcting <= moved + added
    assert drawing >= 4
