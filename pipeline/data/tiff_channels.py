"""The channels of a TIFF by its tags: Pillow drops some without a word, others it cannot name."""

from collections.abc import Mapping
from typing import IO, Any

PHOTOMETRIC, BITS, SAMPLES, PLANAR, EXTRA, FORMAT = 262, 258, 277, 284, 338, 339
COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}  # channels by photometric interpretation
SAVE = "save it as grey or RGB with 8 or 16 bits"


def refusal(tags: Mapping[int, Any]) -> str:
    """Why the channels are no photograph's; empty if they are."""
    samples, bits = tags.get(SAMPLES, 1), tags.get(BITS, (1,))
    photometric = tags.get(PHOTOMETRIC, 0)
    if samples > COLOURS.get(photometric, 1) and 0 in tags.get(EXTRA, ()):
        return (
            f"it has {samples} channels, and only grey, RGB and their transparency are read; "
            "save those to be seen as grey or RGB"
        )
    if bits[0] == 16 and samples > 1 and tags.get(PLANAR) == 2:
        return "it has 16 bits and its channels lie apart (planar); save them pixel by pixel"
    if bits[0] == 16 and photometric == 0:
        return "it has 16 bits and its 0 is white; save it with 0 as black"
    if bits[0] == 16 and 2 in tags.get(FORMAT, ()):
        return f"its values of 16 bits have signs; {SAVE}, without signs"
    return ""


def describe(file: IO[bytes]) -> str:
    """Why Pillow does not open a TIFF; empty if it is no TIFF."""
    file.seek(0)
    start = file.read(8)
    if start[:2] not in (b"II", b"MM"):
        return ""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    is_big = start[2:4] in (b"\0+", b"+\0")
    tags = ImageFileDirectory_v2(start + file.read(8) if is_big else start)
    file.seek(tags.next)
    tags.load(file)
    if not tags.get(SAMPLES):
        return ""
    return refusal(tags) or (
        f"it is a TIFF of {tags[SAMPLES]} channels of {max(tags.get(BITS, (1,)))} bits, which "
        f"is not read; {SAVE}"
    )
