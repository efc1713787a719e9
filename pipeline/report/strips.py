"""An image of the data set beside its masks, as a strip of small pictures."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes, palette_bytes, read_image
from pipeline.data.manifest import ClassList, Row
from pipeline.report.overlay import overlay

LONGEST = 320  # pixels of a picture's longer side on the page
TINY = 128  # pixels of a side: photographs up to this stay lossless and show square pixels
GAP = 6  # pixels between the pictures of a strip in one file


@dataclass(frozen=True)
class Picture:
    """One picture of a strip: an encoded image, its text for screen readers, and its caption."""

    data: bytes
    kind: str  # png or jpeg
    size: tuple[int, int]
    alt: str
    caption: str
    tiny: bool

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Strip:
    """An image of the data set and its masks, side by side; `tags` is None if not known."""

    id: str
    tags: tuple[str, ...] | None
    pictures: tuple[Picture, ...]

    def joined(self) -> Image.Image:
        """All pictures in one image, from left to right."""
        images = [Image.open(io.BytesIO(p.data)).convert("RGB") for p in self.pictures]
        width, height = self.pictures[0].size
        sheet = Image.new("RGB", ((width + GAP) * len(images) - GAP, height), "white")
        for place, image in enumerate(images):
            sheet.paste(image, ((width + GAP) * place, 0))
        return sheet


class StripBuilder:
    """Adds pictures to a strip, all at the size of its photograph."""

    def __init__(self, classes: ClassList, row: Row, image: Path) -> None:
        """Start with the photograph at `image`."""
        self.classes, self.row, self.used = classes, row, set[int]()
        photograph = read_image(image)
        self.tiny = max(photograph.size) <= TINY
        photograph.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        self.size, self.photograph = photograph.size, photograph
        self.pictures = [self._picture(photograph, f"image {row.id}", "image")]

    def add_mask(self, mask_HW: Bytes, caption: str, alt: str) -> None:
        """Add a mask of class indices; the text for screen readers names its classes."""
        self.used |= set(np.unique(mask_HW).tolist())
        names = [self.classes.names[i] for i in np.unique(mask_HW) if 0 < i < len(self.classes)]
        image = Image.fromarray(mask_HW).resize(self.size, Image.Resampling.NEAREST)
        image.putpalette(palette_bytes(self.classes))
        self.pictures.append(self._picture(image, f"{alt}: {', '.join(names) or 'none'}", caption))

    def add_overlay(self, mask_HW: Bytes, caption: str, alt: str) -> None:
        """Add the photograph with the mask's objects over it, half transparent."""
        image = Image.fromarray(mask_HW).resize(self.size, Image.Resampling.NEAREST)
        laid = overlay(self.photograph, np.asarray(image), self.classes)
        self.pictures.append(self._picture(laid, alt, caption))

    def done(self) -> tuple[Strip, set[int]]:
        """The strip and the class indices its masks hold."""
        names = self.classes.names
        tags = None if self.row.tags is None else tuple(names[tag] for tag in self.row.tags)
        return Strip(self.row.id, tags, tuple(self.pictures)), self.used

    def _picture(self, image: Image.Image, alt: str, caption: str) -> Picture:
        buffer = io.BytesIO()
        kind = "jpeg" if image.mode == "RGB" and not self.tiny else "png"
        image.save(buffer, format=kind, quality=82, optimize=True)
        return Picture(buffer.getvalue(), kind, image.size, alt, caption, self.tiny)


def spread_evenly(count: int, rows: int) -> list[int]:
    """Places of `rows` things spread evenly over `count`, all where there are fewer.

    >>> spread_evenly(100, 4), spread_evenly(2, 4)
    ([12, 37, 62, 87], [0, 1])
    """
    rows = min(rows, count)
    return [(2 * place + 1) * count // (2 * rows) for place in range(rows)]


def legend(classes: ClassList, indices: Iterable[int]) -> list[tuple[str, str]]:
    """Name and CSS colour of every index; 255 means no label."""
    colours = palette_bytes(classes)
    entries = []
    for index in sorted(set(indices)):
        red, green, blue = colours[3 * index : 3 * index + 3]
        name = classes.names[index] if index < len(classes) else "no label"
        entries.append((name, f"rgb({red} {green} {blue})"))
    return entries
