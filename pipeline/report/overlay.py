"""A photograph with a mask's objects painted over it."""

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes, colour_mask
from pipeline.data.manifest import ClassList

OPACITY = 140  # of 255, of a class's colour


def overlay(photograph: Image.Image, mask_HW: Bytes, classes: ClassList) -> Image.Image:
    """The photograph with its objects in their colours; background stays as it is.

    Args:
        photograph: RGB, of the mask's size.
        mask_HW: class indices; 255 is coloured, too.
        classes: their colours.
    """
    colours = Image.fromarray(colour_mask(mask_HW, classes))
    weights = Image.fromarray(np.where(mask_HW == 0, 0, OPACITY).astype(np.uint8))
    return Image.composite(colours, photograph, weights)
