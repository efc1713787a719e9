"""Reading photographs and masks, writing palette PNGs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.manifest import IGNORE, ClassList

Bytes = NDArray[np.uint8]

BORDER_COLOUR = (224, 224, 192)  # what VOC paints its 255 border with


def read_image(path: Path) -> Image.Image:
    """Open a photograph as RGB, turned upright by its EXIF orientation.

    Raises:
        UserError: the file is missing or is no readable image.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image ({error})") from error


def read_mask(path: Path, classes: int | None = None) -> Image.Image:
    """Open an indexed mask as an 8-bit image of class indices, 255 = ignore.

    Args:
        path: a PNG in mode P (palette indices) or L (grey value = index).
        classes: where given, indices from `classes` to 254 are refused.

    Raises:
        UserError: the file is missing, is not indexed, or holds an index past the classes.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a mask ({error})") from error
    if image.mode not in ("P", "L"):
        raise UserError(
            f"{path} is a mask in mode {image.mode}; masks are PNGs whose pixel values are class "
            "indices (mode P or L)"
        )
    # Pillow would resize a palette image by nearest colour; as L the indices stay what they are.
    mask = Image.fromarray(np.array(image, dtype=np.uint8), mode=None)
    if classes is not None:
        values = np.array(mask)
        values = values[values != IGNORE]
        if values.size and int(values.max()) >= classes:
            raise UserError(
                f"{path} holds the class index {int(values.max())}, but there are only {classes} "
                "classes (0 is background, 255 is ignored)"
            )
    return mask


def palette_bytes(classes: ClassList) -> list[int]:
    """The 768 numbers of a PNG palette: class colours, then grey, 255 the border colour."""
    colours = list(classes.colours) + [(i, i, i) for i in range(len(classes), 256)]
    colours[IGNORE] = BORDER_COLOUR
    return [value for colour in colours for value in colour]


def write_mask(path: Path, mask_HW: Bytes, classes: ClassList) -> None:
    """Write a mask of class indices as a palette PNG: right to read, and coloured to look at."""
    image = Image.fromarray(mask_HW)
    image.putpalette(palette_bytes(classes))
    image.save(path, format="PNG")


def colour_mask(mask_HW: Bytes, classes: ClassList) -> Bytes:
    """Paint class indices with their colours, (H, W) to (H, W, 3)."""
    table = np.array(palette_bytes(classes), dtype=np.uint8).reshape(256, 3)
    painted: Bytes = table[mask_HW]
    return painted


def tags_of_mask(mask_HW: Bytes) -> tuple[int, ...]:
    """The object classes a mask holds: every index but background and 255."""
    return tuple(int(v) for v in np.unique(mask_HW) if v not in (0, IGNORE))


def tag_vector(tags: Sequence[int], classes: int) -> NDArray[np.bool_]:
    """Multi-hot tags over all classes, shape (classes,); background is always on."""
    vector = np.zeros(classes, dtype=np.bool_)
    vector[[0, *tags]] = True
    return vector
