"""The pixels of Label Studio's masks: what its brush paints, and what its bitmask does."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes
from pipeline.datasets.reading.odd_values import OddValueError


def unpack_brush(packed: Any, width: int, height: int) -> Bytes:
    """The pixels that a brush has painted, (H, W) of 0 and 1.

    `packed` is a picture of that size, its RGBA values in run lengths whose numbers have any number
    of bits, in a list of bytes. First come the number of values (32 bits), the bits of a value less
    one (5), and four widths less one (4 each). Then, until all values are there: a bit which is 1
    if one value is repeated, the index of a width (2), in as many bits the number of values less
    one, and the value or values. A pixel is painted if its alpha is not 0.

    Raises:
        OddValueError: it is not such a list, or has another number of values.
    """
    bits, pixels = _Bits(packed), width * height
    if bits.read(32) != 4 * pixels:
        raise OddValueError(f"a brush mask that is not of {width}x{height} pixels")
    if bits.read(5) != 7:
        raise OddValueError("a brush mask with values that are not of 8 bits")
    widths = [bits.read(4) + 1 for _ in range(4)]
    alpha = np.zeros(pixels, np.uint8)
    start = 0
    while start < 4 * pixels:
        repeated, size = bits.read(1), widths[bits.read(2)]
        count = bits.read(size) + 1
        end = start + count
        if end > 4 * pixels:
            raise OddValueError(f"a brush mask of more than {width}x{height} pixels")
        part = alpha[start // 4 : end // 4]  # alpha is the last of four values
        if repeated:
            part[:] = bits.read(8)
        else:
            values = np.frombuffer(bits.read(8 * count).to_bytes(count, "big"), np.uint8)
            part[:] = values[3 - start % 4 :: 4]
        start = end
    return (alpha > 0).astype(np.uint8).reshape(height, width)


class _Bits:
    """Whole numbers in a list of bytes, each of any number of bits, the highest bit first."""

    def __init__(self, packed: Any) -> None:
        if not isinstance(packed, list) or not all(
            type(byte) is int and 0 <= byte < 256 for byte in packed
        ):
            raise OddValueError("a brush mask that is not a list of bytes")
        self.data, self.at = bytes(packed), 0

    def read(self, bits: int) -> int:
        """The number in the next bits."""
        end = self.at + bits
        if end > 8 * len(self.data):
            raise OddValueError("a brush mask that ends too soon")
        part = int.from_bytes(self.data[self.at // 8 : -(-end // 8)], "big")
        self.at = end
        return (part >> (-end % 8)) & ((1 << bits) - 1)


def read_bitmask(url: Any, width: int, height: int) -> Bytes:
    """The pixels of a bitmask that are not transparent, (H, W) of 0 and 1.

    Raises:
        OddValueError: it is not the data URL of a PNG of that size.
    """
    try:
        data = base64.b64decode(url.partition(",")[2])
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size == (width, height):
                return (np.asarray(image.convert("RGBA"))[..., 3] > 0).astype(np.uint8)
    except Exception:  # Pillow raises many kinds on damaged files
        raise OddValueError("a bitmask that is not a PNG in base64") from None
    raise OddValueError(f"a bitmask that is not of {width}x{height} pixels")
