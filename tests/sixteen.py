"""PNGs and TIFFs of few and of 16 bits and of any channels, which Pillow does not write."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PNG_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type by channels
TIFF_TYPES = {"H": 3, "I": 4}


def png16(values_HWC: NDArray[np.uint16], orientation: int = 1) -> bytes:
    """A PNG of 1 to 4 channels, turned by EXIF."""
    height, width, channels = values_HWC.shape
    rows = values_HWC.astype(">u2").reshape(height, -1).view(np.uint8)
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    return png((width, height), 16, PNG_KINDS[channels], rows, exif)


def png_grey(values_HW: NDArray[np.uint8], bits: int) -> bytes:
    """A PNG of grey with 1, 2 or 4 bits."""
    height, width = values_HW.shape
    bits_HWB = np.unpackbits(values_HW[..., None], axis=2)[..., 8 - bits :]
    return png((width, height), bits, 0, np.packbits(bits_HWB.reshape(height, -1), axis=1))


def png(
    size: tuple[int, int], bits: int, kind: int, rows: NDArray[np.uint8], exif: bytes = b""
) -> bytes:
    """A PNG of rows of bytes, which are not filtered."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0),
        b"eXIf": exif,
        b"IDAT": zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes()),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts.items()
        if data or name != b"eXIf"
    )


def tiff(
    values_HWC: NDArray[np.unsignedinteger],
    *,
    order: str = "<",
    compression: int = 1,
    planar: int = 1,
    photometric: int | None = None,
    extras: Sequence[int] = (),
    sample_format: int = 1,
) -> bytes:
    """A TIFF: order < or >, compression 1 (none), 5 (LZW) or 8 (deflate), planar 1 or 2."""
    height, width, channels = values_HWC.shape
    bits = 8 * values_HWC.itemsize
    data = values_HWC.astype(values_HWC.dtype.newbyteorder(order))
    planes = [data] if planar == 1 else [data[..., channel] for channel in range(channels)]
    pack = {1: bytes, 5: lzw, 8: zlib.compress}[compression]
    strips = [pack(plane.tobytes()) for plane in planes]
    starts = np.cumsum([8, *map(len, strips)]).tolist()
    if photometric is None:
        photometric = 2 if channels - len(extras) >= 3 else 1
    tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [bits] * channels),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        273: ("I", starts[:-1]),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [planar]),
        **({338: ("H", list(extras))} if extras else {}),
        339: ("H", [sample_format] * channels),
    }
    entries, after = b"", b""
    end = starts[-1] + 2 + 12 * len(tags) + 4
    for tag, (kind, numbers) in tags.items():
        value = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        entries += struct.pack(f"{order}HHI", tag, TIFF_TYPES[kind], len(numbers))
        if len(value) > 4:
            entries += struct.pack(f"{order}I", end + len(after))
            after += value
        else:
            entries += value.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return mark + struct.pack(f"{order}I", starts[-1]) + b"".join(strips) + directory + after


def lzw(data: bytes) -> bytes:
    """LZW without any compression: codes of 9 bits, cleared before they grow."""
    codes = [code for i, byte in enumerate(data) for code in ([256] * (i % 200 == 0) + [byte])]
    text = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
