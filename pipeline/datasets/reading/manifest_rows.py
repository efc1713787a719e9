"""Pairs of image and mask: how readers of real data sets check them and make manifest rows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import Bytes, Size, check_image, read_file, read_mask, tags_of_mask
from pipeline.data.manifest import IGNORE, ROOT, ClassList, Row
from pipeline.datasets.reading.problems import Problems

IMAGES, MASKS = "images cannot be used", "masks cannot be used"


@dataclass(frozen=True)
class Entry:
    """An image on its way into the manifest: `tags` are used only if there is no mask.

    `source` is the file that messages name instead of a mask that was painted from it.
    """

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] = ()
    source: str = ""


class Inspected(NamedTuple):
    """What one reading of an image finds: its size, what was converted, the start of its md5."""

    size: Size
    care: tuple[str, ...]
    digest: "hashlib._Hash"


def inspect_image(path: Path) -> Inspected:
    """Read an image once: check that it can be decoded, and start the md5 of its row.

    Raises:
        UserError: the file is missing or is not a readable image.
    """
    data = read_file(path, "an image")
    size, care = check_image(path, data)
    return Inspected(size, care, hashlib.md5(data, usedforsecurity=False))


def make_rows(
    entries: Sequence[Entry],
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
    problems: Problems | None = None,
) -> list[Row]:
    """Manifest rows, with sizes and md5 from the files and tags from the masks.

    Args:
        entries: images whose files lie under `folder` or `data_root`.
        classes: the classes of the masks; None if they are not known.
        folder: folder the manifest will lie in.
        data_root: what `@root/` stands for.
        problems: what was found before, to be reported together with what is found here.

    Raises:
        DataError: images or masks are missing, unreadable, of different sizes, or masks hold
            indices past the classes; or a split that training needs is empty.
    """
    problems = Problems() if problems is None else problems
    rows = [row for row, _ in inspect_all(entries, classes, folder, data_root, problems)]
    if not problems:
        with problems.gathered():
            need_splits(rows)
    problems.refuse(data_root)
    return rows


def inspect_all(
    entries: Sequence[Entry],
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
    problems: Problems,
) -> Iterator[tuple[Row, Bytes | None]]:
    """Yield the rows of `make_rows`, each with its mask (H, W) if it has a valid one.

    Images that cannot be read are left out; problems are added to `problems`.
    """
    for entry in track(entries, "check images and masks"):
        seen, mask_HW = None, None
        try:
            seen = inspect_image(entry.image)
        except UserError as error:
            problems.say(IMAGES, error)
        try:
            if entry.mask is not None:
                mask_HW, seen = _inspect_mask(entry, seen, classes)
        except UserError as error:
            problems.say(MASKS, error)
        if seen is not None:
            image = _relative(entry.image, folder, data_root)
            mask = "" if entry.mask is None else _relative(entry.mask, folder, data_root)
            tags = entry.tags if mask_HW is None else tags_of_mask(mask_HW)
            files = entry.id, image, mask, entry.split
            yield Row(*files, tags, *seen.size, seen.digest.hexdigest(), seen.care), mask_HW


def need_splits(rows: Iterable[Row]) -> None:
    """Check that there are strong, weak and val images.

    Raises:
        UserError: no image is strong, none is weak, or none is for validation.
    """
    counts = Counter(row.split for row in rows)
    for split, meaning in (
        ("strong", "training images with masks"),
        ("weak", "training images with tags but no masks"),
        ("val", "images with masks for validation"),
    ):
        if not counts[split]:
            raise UserError(f"the data set has no {split} images: it needs {meaning}")


def _inspect_mask(
    entry: Entry, seen: Inspected | None, classes: ClassList | None
) -> tuple[Bytes | None, Inspected | None]:
    """An entry's mask (H, W), checked against its image; adds it to the md5 in `seen`."""
    assert entry.mask is not None
    data = read_file(entry.mask, "a mask")
    mask = read_mask(entry.mask, None if classes is None else len(classes), data=data)
    if seen is None:
        return None, None
    if mask.size != seen.size:
        raise UserError(
            f"{entry.source or entry.mask} is {mask.width}x{mask.height} pixels, but its image "
            f"{entry.image.name} is {seen.size[0]}x{seen.size[1]}{_advice(mask.size, seen)}"
        )
    seen.digest.update(data)
    mask_HW = np.asarray(mask)
    if mask_HW.min() == IGNORE:
        seen = seen._replace(care=(*seen.care, "with a mask of 255 alone"))
    return mask_HW, seen


def _advice(size: Size, seen: Inspected) -> str:
    """The advice if a mask fits its image before the EXIF rotation and not after it."""
    if size != seen.size[::-1] or "turned by EXIF" not in seen.care:
        return ""
    return " after its EXIF rotation: rotate the mask as well"


def _relative(path: Path, folder: Path, data_root: Path) -> str:
    """A path as the manifest writes it."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return ROOT + path.relative_to(data_root).as_posix()
