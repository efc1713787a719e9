"""Reading photographs and masks, writing palette PNGs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError
from pipeline.data import heic, tiff_channels
from pipeline.data.manifest import IGNORE, ClassList
from pipeline.data.sixteen_bits import is_sixteen, narrow, read_values, white_of

Bytes = NDArray[np.uint8]
Size = tuple[int, int]  # width, height

# Of a folder's images: all that Pillow decodes by itself, so without its stubs, EPS and PDF.
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".avif", ".avifs"),
    *(".jfif", ".jpe", ".mpo", ".jp2", ".j2c", ".j2k", ".jpc", ".jpf", ".jpx", ".apng", ".dib"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".tga", ".icb", ".vda", ".vst", ".qoi", ".psd"),
    *(".pcx", ".dcx", ".dds", ".blp", ".cur", ".ico", ".icns", ".bw", ".rgb", ".rgba", ".sgi"),
    *(".ras", ".fit", ".fits", ".flc", ".fli", ".ftc", ".ftu", ".gbr", ".iim", ".im", ".msp"),
    *(".pcd", ".pxr", ".xbm", ".xpm", *(heic.SUFFIXES if heic.is_installed() else ())),
)
SUCH_AS = "such as .jpg .png .tif .webp"  # for messages
MASK_FORMATS = ("PNG", "TIFF", "BMP")  # of the user's masks; they change no pixel
BORDER_COLOUR = (224, 224, 192)  # what VOC paints its 255 border with

SYSTEM_FILES = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx"),
    *("@eadir", "$recycle.bin", "system volume information", "lost+found"),
}

# The most pixels an image or a mask may have (134 million). More is refused from the header, before
# anything is decoded. Pillow itself warns above this and raises above twice as many.
MOST_PIXELS = 2**27
Image.MAX_IMAGE_PIXELS = MOST_PIXELS

ORIENTATION = 0x0112  # EXIF: 1 is upright, 2 to 8 are mirrored or turned, from 5 on lying
NO_IMAGE = "it is not an image, or of an unknown format"
AGAIN = "if the data set was changed, run `dvc repro --force download` and then `dvc repro`"


class Checked(NamedTuple):
    """What `check_image` finds.

    Attributes:
        size: width and height of what `read_image` gives.
        care: what that takes, such as "turned by EXIF".
        peak: the largest value of a photograph of 16 bits, else 0.
    """

    size: Size
    care: tuple[str, ...]
    peak: int


def is_system_file(name: str) -> bool:
    r"""Whether a file or folder is one that systems leave among people's own.

    >>> tuple(map(is_system_file, (".DS_Store", "Thumbs.db", "Icon\r", "__MACOSX", "a.jpg")))
    (True, True, True, True, False)
    """
    return name.startswith(".") or name.casefold() in SYSTEM_FILES


def read_image(
    path: Path, size: Size | None = None, white: int | None = None, data: bytes | None = None
) -> Image.Image:
    """Open a photograph as RGB, turned upright by its EXIF orientation.

    Transparency is dropped, 16 bits are scaled to 8, and of several frames the first is taken.

    Args:
        path: any file Pillow reads, whatever its suffix says.
        size: width and height of its row in the manifest or of its mask, where it has to have it.
        white: the value of 16 bits that becomes 255, the data set's `white_of`; by default the
            photograph's own.
        data: the file's content, where the caller has it.

    Raises:
        UserError: the file is missing or is no readable image, or has not that size.
    """
    try:
        with _opened(path, "an image", data) as image:
            _need_picture(image)
            if is_sixteen(image):
                values = read_values(partial(_open, path, data))
                narrowed = narrow(values, white or white_of(int(values.max())))
                photograph = Image.fromarray(narrowed).convert("RGB")
            else:
                ImageOps.exif_transpose(image, in_place=True)
                photograph = _to_rgb(image)
    except UserError as error:
        if size is None or isinstance(error, StoppedError):
            raise
        raise UserError(f"{error}; {AGAIN}") from None
    _expect(path, photograph, size)
    return photograph


def shrink(photograph: Image.Image, longest_side: int) -> Image.Image:
    """A photograph whose longer side is at most `longest_side` pixels.

    It is the same wherever a photograph is brought to a network's working size. Pillow's BILINEAR
    averages all pixels that become one.
    """
    shrunk = photograph.copy()
    shrunk.thumbnail((longest_side,) * 2, Image.Resampling.BILINEAR, reducing_gap=None)
    return shrunk


def has_sixteen_bits(path: Path) -> bool:
    """Whether a photograph has 16 bits for each value, by its header.

    Raises:
        UserError: the file is missing or is no image.
    """
    with _opened(path, "an image") as image:
        return is_sixteen(image)


def check_image(path: Path, data: bytes) -> Checked:
    """Find out whether `read_image` will read a file, for a fraction of what that costs.

    All of the file is decoded, so that one that breaks off is found; a JPEG at an eighth of its
    size, which spares nearly everything but the reading.

    Args:
        path: the file, for messages.
        data: its content.

    Raises:
        UserError: it is no readable image.
    """
    with _opened(path, "an image", data) as image:
        _need_picture(image)
        width, height = image.size
        care, sixteen = _care(image), is_sixteen(image)
        image.draft("L", (1, 1))
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode not in ("RGB", "L") and not sixteen:
            _to_rgb(image)
        care += ("first of several frames",) * _has_more_frames(image)
        peak = int(read_values(partial(_open, path, data)).max()) if sixteen else 0
    if orientation in range(2, 9):
        care = ("turned by EXIF", *care)
    return Checked((height, width) if orientation in range(5, 9) else (width, height), care, peak)


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


def open_mask(
    path: Path, data: bytes | None = None, formats: Sequence[str] = ("PNG",)
) -> Image.Image:
    """Open a mask in the mode it has.

    Args:
        path: the file.
        data: its content, where the caller has it.
        formats: what it may be.

    Raises:
        UserError: the file is missing or of another format; JPEG and GIF change pixels.
    """
    with _opened(path, "a mask", data) as image:
        image.load()
    if image.format not in formats:
        raise UserError(
            f"{path} is a {image.format} file; masks are {', '.join(formats)} files, as JPEG and "
            "GIF change pixels: export it again"
        )
    return image


def bits_of(image: Image.Image, data: bytes) -> int:
    """Bits of each number in a PNG, TIFF or BMP of grey or colours, as its header says."""
    if image.format == "PNG":
        return data[24]  # of IHDR, which comes first in every PNG
    if image.format == "TIFF":
        bits: tuple[int, ...] = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        return max(bits)
    return 8


def read_file(path: Path, what: str) -> bytes:
    """All bytes of a file.

    Raises:
        UserError: it cannot be read as `what`, such as "an image".
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read as {what} ({_reason(error)})") from error


def _open(path: Path, data: bytes | None = None) -> ImageFile:
    """An image, not decoded yet, by what Pillow knows or HEIC's package."""
    try:
        return Image.open(path if data is None else BytesIO(data))
    except UnidentifiedImageError:
        if not heic.register():
            raise
    return Image.open(path if data is None else BytesIO(data))


@contextmanager
def _opened(path: Path, what: str, data: bytes | None = None) -> Iterator[ImageFile]:
    """An image, not decoded yet; errors while it is decoded are UserErrors, too."""
    try:
        with _open(path, data) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} has more than {MOST_PIXELS:,} pixels, the most {what} may have; scale it down"
        ) from None
    except UnidentifiedImageError as error:
        with path.open("rb") if data is None else BytesIO(data) as file:
            reason = _unidentified(file)
        raise UserError(f"{path} cannot be read as {what} ({reason})") from error
    except Exception as error:  # Pillow raises nearly everything on damaged files
        raise UserError(f"{path} cannot be read as {what} ({_reason(error)})") from error


def _unidentified(file: IO[bytes]) -> str:
    """Why Pillow does not open a file."""
    start = file.read(16)
    if not start:
        return "it is empty"
    if heic.is_heic(start):
        return f"it is HEIC; {heic.INSTALL}"
    try:
        return tiff_channels.describe(file) or NO_IMAGE
    except StoppedError:
        raise
    except Exception:  # as above
        return NO_IMAGE


def _need_picture(image: ImageFile) -> None:
    """Refuse TIFFs whose channels are no picture's."""
    refusal = tiff_channels.refusal(getattr(image, "tag_v2", {})) if image.format == "TIFF" else ""
    if refusal:
        raise ValueError(refusal)


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in a few words that do not repeat its name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, OSError | SyntaxError | ValueError) and str(error):
        return str(error)
    return "not enough memory" if isinstance(error, MemoryError) else "it is damaged"


def _to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image in any mode as RGB."""
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} has no fixed range; save it with 8 or 16 bits")
    return image.convert("RGB")


def _care(image: ImageFile) -> tuple[str, ...]:
    """What reading has to do beyond copying, from an image's header; common modes say nothing."""
    mode = image.mode
    care = []
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        care.append(f"converted from {mode}")
    if is_sixteen(image):
        care.append("scaled from 16 bits")
    if mode in ("1", "L", "LA", "La"):
        care.append("widened from grey")
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        care.append("stripped of transparency")
    return tuple(care)


def _has_more_frames(image: ImageFile) -> bool:
    """Whether there is a second frame; a damaged one does not matter."""
    try:
        return bool(getattr(image, "n_frames", 1) > 1)
    except StoppedError:
        raise
    except Exception:  # as above
        return False


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


def resize_mask(mask_HW: Bytes, size: Size) -> Bytes:
    """Class indices at another width and height, each a pixel that was there: the nearest."""
    resized: Bytes = np.asarray(Image.fromarray(mask_HW).resize(size, Image.Resampling.NEAREST))
    return resized


def write_mask(path: Path | IO[bytes], mask_HW: Bytes, classes: ClassList) -> None:
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
