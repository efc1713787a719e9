"""Photographs of 16 bits: their values, and the range that becomes 0 to 255.

Pillow opens 16-bit colour with 8 bits, by a raw mode that keeps one byte of each value: ";16B" its
first, ";16L" its second, ";16N" the upper one as the machine stores it. So colour is decoded twice.
(OpenCV reads 16 bits, but planar TIFFs with wrong colours, no ZSTD, and it takes 150 MB.)
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.ImageFile import ImageFile

Bytes = NDArray[np.uint8]
Values = NDArray[np.uint16]


def white_of(peak: int) -> int:
    """The value that becomes 255, where `peak` is the largest: of the least bits that hold it.

    >>> tuple(map(white_of, (3, 255, 256, 4000, 4095, 4096, 65535)))
    (255, 255, 511, 4095, 4095, 8191, 65535)
    """
    return int(2 ** max(8, peak.bit_length()) - 1)


def is_sixteen(image: ImageFile) -> bool:
    """Whether an image that is not decoded yet has 16 bits for each value.

    16-bit CMYK is left to Pillow: ink has a fixed range.
    """
    if image.mode.startswith("I;16") or (image.format, image.mode) == ("PPM", "I"):
        return True
    kind, wide, _ = _raw_mode(image).partition(";16")
    return bool(wide) and kind in ("RGB", "RGBA", "RGBa", "LA") and image.format in ("PNG", "TIFF")


def read_values(again: Callable[[], ImageFile]) -> Values:
    """The values of a 16-bit photograph, (H, W) or (H, W, 3), upright and without transparency.

    Args:
        again: opens it anew.
    """
    with again() as image:
        kind, wide, order = _raw_mode(image).partition(";16")
    if not wide or kind == "I":
        return _decode(again).astype(np.uint16)
    if kind == "LA":  # as bytes of RGBA: grey is the first two
        pixels_HW4 = _decode(again, "RGBA")
        return _join(pixels_HW4[..., 0], pixels_HW4[..., 1])
    low_first = order == "L" or (order == "N" and sys.byteorder == "little")
    kind = kind.upper()  # RGBa would be divided by its transparency
    first_HW3, second_HW3 = (_decode(again, f"{kind};16{byte}")[..., :3] for byte in "BL")
    return _join(second_HW3, first_HW3) if low_first else _join(first_HW3, second_HW3)


def narrow(values: Values, white: int) -> Bytes:
    """Scale 0 to `white` to 0 to 255, rounded and clipped."""
    scaled = values * np.uint32(510)
    scaled += np.uint32(white)
    scaled //= np.uint32(2 * white)
    narrowed: Bytes = np.minimum(scaled, 255).astype(np.uint8)
    return narrowed


def _join(upper: Bytes, lower: Bytes) -> Values:
    """Values of their two bytes."""
    values: Values = np.stack((lower, upper), axis=-1).view("<u2")[..., 0]
    return values


def _raw_mode(image: ImageFile) -> str:
    """How Pillow will unpack an image, such as "RGB;16B"; empty if it has another way."""
    arguments: Any = image.tile[0][3] if image.tile else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _decode(again: Callable[[], ImageFile], raw_mode: str = "") -> NDArray[Any]:
    """All of an image upright, unpacked by another raw mode where one is given."""
    with again() as image:
        if raw_mode:
            image.tile = [
                tile._replace(
                    args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode
                )
                for tile in image.tile
            ]
        ImageOps.exif_transpose(image, in_place=True)
        return np.array(image)
