"""Objects laid over a photograph."""

import numpy as np
from PIL import Image

from pipeline.report.overlay import overlay
from tests.models import small_info


def test_an_overlay_leaves_the_background() -> None:
    image = np.full((4, 6, 3), 200, np.uint8)
    mask = np.zeros((4, 6), np.uint8)
    mask[:, 3:] = 1
    painted = np.array(overlay(Image.fromarray(image), mask, small_info().class_list))
    assert (painted[:, :3] == 200).all()
    assert painted[0, 4].tolist() == [160, 90, 90]  # 45 % of 200, 55 % of (128, 0, 0)
