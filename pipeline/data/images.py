"""Reading photographs and masks, writing palette PNGs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError
from pipeline.data.manifest import IGNORE, ClassList

Bytes = NDArray[np.uint8]
Size = tuple[int, int]  # width, height

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")  # of a folder's images
BORDER_COLOUR = (224, 224, 192)  # what VOC paints its 255 border with

# The most pixels an image or a mask may have (134 million). More is refused from the header, before
# anything is decoded. Pillow itself warns above this and raises above twice as many.
MOST_PIXELS = 2**27
Image.MAX_IMAGE_PIXELS = MOST_PIXELS

ORIENTATION = 0x0112  # EXIF: 1 is upright, 2 to 8 are mirrored or turned, from 5 on lying
AGAIN = "if the data set was changed, run `dvc repro --force download` and then `dvc repro`"


def read_image(path: Path, size: Size | None = None) -> Image.Image:
    """Open a photograph as RGB, turned upright by its EXIF orientation.

    Transparency is dropped, 16-bit grey is scaled to 8 bits, and of several frames the first is
    taken.

    Args:
        path: any file Pillow reads, whatever its suffix says.
        size: width and height of its row in the manifest or of its mask, where it has to have it.

    Raises:
        UserError: the file is missing or is no readable image, or has not that size.
    """
    try:
        with _opened(path, "an image") as image:
            ImageOps.exif_transpose(image, in_place=True)
            photograph = _to_rgb(image)
    except UserError as error:
        if size is None or isinstance(error, StoppedError):
            raise
        raise UserError(f"{error}; {AGAIN}") from None
    _expect(path, photograph, size)
    return photograph


def check_image(path: Path, data: bytes) -> tuple[Size, tuple[str, ...]]:
    """Find out whether `read_image` will read a file, for a fraction of what that costs.

    All of the file is decoded, so that one that breaks off is found; a JPEG at an eighth of its
    size, which spares nearly everything but the reading.

    Args:
        path: the file, for messages.
        data: its content.

    Returns:
        width and height of what `read_image` gives, and what care that takes, such as
        "turned by EXIF".

    Raises:
        UserError: it is no readable image.
    """
    with _opened(path, "an image", data) as image:
        width, height = image.size
        care = _care(image)
        image.draft("L", (1, 1))
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode not in ("RGB", "L"):
            _to_rgb(image)
    if orientation in range(2, 9):
        care = ("turned by EXIF", *care)
    return ((height, width) if orientation in range(5, 9) else (width, height)), care


def read_mask(
    path: Path,
    classes: int | None = None,
    *,
    size: Size | None = None,
    data: bytes | None = None,
) -> Image.Image:
    """Open an indexed mask as an 8-bit image of class indices, 255 = ignore.

    Args:
        path: a PNG in mode P (palette indices) or L (grey value = index).
        classes: where given, indices from `classes` to 254 are refused.
        size: width and height of its image, where it has to have it.
        data: the file's content, where the caller has it.

    Raises:
        UserError: the file is missing, is no indexed PNG, has not that size, or holds an index past
            the classes.
    """
    image = open_mask(path, data)
    if image.mode not in ("P", "L"):
        raise UserError(
            f"{path} is a mask in mode {image.mode}; masks are PNGs whose pixel values are class "
            "indices (mode P or L), or colours that colours.csv names"
        )
    _expect(path, image, size)
    # Pillow would resize a palette image by nearest colour; as L the indices stay what they are.
    mask = Image.fromarray(np.array(image, dtype=np.uint8), mode=None)
    if classes is not None:
        counts = mask.histogram()
        highest = max((index for index in range(IGNORE) if counts[index]), default=0)
        if highest >= classes:
            raise UserError(
                f"{path} holds the class index {highest}, but there are only {classes} classes "
                "(0 is background, 255 is ignored); correct it, or add the class"
            )
    return mask


def open_mask(path: Path, data: bytes | None = None) -> Image.Image:
    """Open a mask in the mode it has; `data` is the file's content, where the caller has it.

    Raises:
        UserError: the file is missing or is no PNG; JPEG and GIF change pixels.
    """
    with _opened(path, "a mask", data) as image:
        image.load()
    if image.format != "PNG":
        raise UserError(
            f"{path} is a {image.format} file; masks are PNGs, as JPEG and GIF change pixels"
        )
    return image


def read_file(path: Path, what: str) -> bytes:
    """All bytes of a file.

    Raises:
        UserError: it cannot be read as `what`, such as "an image".
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read as {what} ({_reason(error)})") from error


@contextmanager
def _opened(path: Path, what: str, data: bytes | None = None) -> Iterator[Image.Image]:
    """An image, not decoded yet; errors while it is decoded are UserErrors, too."""
    try:
        with Image.open(path if data is None else BytesIO(data)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} has more than {MOST_PIXELS:,} pixels, the most {what} may have; scale it down"
        ) from None
    except Exception as error:  # Pillow raises nearly everything on damaged files
        reason = "it is empty" if data == b"" else _reason(error)
        raise UserError(f"{path} cannot be read as {what} ({reason})") from error


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in a few words that do not repeat its name."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image, or of an unknown format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, OSError | SyntaxError | ValueError) and str(error):
        return str(error)
    return repr(error)


def _to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image in any mode as RGB."""
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255. 65535 / 255 is 257, so this is exact for widened 8-bit values.
        wide_HW = np.array(image).astype(np.uint32)
        return Image.fromarray(((wide_HW + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} has no fixed range; save it with 8 or 16 bits")
    return image.convert("RGB")


def _care(image: Image.Image) -> tuple[str, ...]:
    """What `_to_rgb` has to do beyond copying, from an image's header; common modes say nothing."""
    mode = image.mode
    care = []
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        care.append(f"converted from {mode}")
    if mode.startswith("I;16"):
        care.append("scaled from 16 bits")
    if mode in ("1", "L", "LA", "La"):
        care.append("widened from grey")
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        care.append("stripped of transparency")
    if getattr(image, "n_frames", 1) > 1:
        care.append("first of several frames")
    return tuple(care)


def _expect(path: Path, image: Image.Image, size: Size | None) -> None:
    """Refuse an image that has not the size it had when the data set was read."""
    if size not in (None, image.size):
        assert size is not None
        raise UserError(
            f"{path} is {image.width}x{image.height} pixels, but {size[0]}x{size[1]} were "
            f"expected; {AGAIN}"
        )


def palette_bytes(classes: ClassList) -> list[int]:
    """The 768 numbers of a PNG palette: class colours, then grey, 255 the border colour."""
    colours = list(classes.colours) + [(i, i, i) for i in range(len(classes), 256)]
    colours[IGNORE] = BORDER_COLOUR
    return [value for colour in colours for value in colour]


def write_mask(path: Path, mask_HW: Bytes, classes: ClassList) -> None:
    """Write a mask of class indices as a palette PNG: indices for programs, colours for people."""
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
