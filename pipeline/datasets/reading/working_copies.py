"""Copies of photographs and masks at the size that networks work at, made once.

Later stages read these and never look into the user's folder: none decodes a photograph of twelve
megapixels, and a file that is changed while they run is not mixed in.
"""

import hashlib
from io import BytesIO
from pathlib import Path

from PIL import Image

from pipeline.data.images import Bytes, Size, read_image, resize_mask, shrink, write_mask
from pipeline.data.manifest import ClassList


class WorkingCopies:
    """The files of one image in the data set's folder."""

    def __init__(self, folder: Path, name: str, longest_side: int) -> None:
        """Take the folder, the image's id, and the most pixels of its longer side."""
        self.folder, self.name, self.longest_side = folder, name, longest_side
        self.digest = hashlib.md5(usedforsecurity=False)

    def size_of(self, size: Size) -> Size:
        """The size at which an image of some width and height is copied."""
        return shrink(Image.new("1", size), self.longest_side).size

    def copy_image(self, path: Path, data: bytes, size: Size, white: int | None = None) -> str:
        """Copy a photograph; as it is, unless it is too large or has 16 bits.

        Args:
            path: its file.
            data: the file's content.
            size: width and height of what `read_image` gives.
            white: the value of 16 bits that becomes 255.

        Returns:
            the file in the data set's folder.
        """
        name = f"images/{self.name}{path.suffix.lower()}"
        if white is not None or self.size_of(size) != size:
            name, buffer = f"images/{self.name}.png", BytesIO()
            shrink(read_image(path, white=white, data=data), self.longest_side).save(buffer, "PNG")
            data = buffer.getvalue()
        return self._write(name, data)

    def copy_mask(self, kind: str, mask_HW: Bytes, classes: ClassList, size: Size) -> str:
        """Write class indices (H, W) at a width and height into the folder `kind`; its file.

        Where a mask is made smaller, each of its pixels is one that was there.
        """
        buffer = BytesIO()
        write_mask(buffer, resize_mask(mask_HW, size), classes)
        return self._write(f"{kind}/{self.name}.png", buffer.getvalue())

    def _write(self, name: str, data: bytes) -> str:
        """Write a file, and count it into the digest."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.digest.update(data)
        return name
