"""What the readers of real data sets share: lists of ids, pairs of image and mask, their checks."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.datasets.problems import Problems, name_some
from pipeline.errors import UserError
from pipeline.images import Bytes, Size, check_image, read_file, read_mask, tags_of_mask
from pipeline.manifest import IGNORE, ROOT, ClassList, Row
from pipeline.progress import track

IMAGES, MASKS = "images cannot be used", "masks cannot be used"


@dataclass(frozen=True)
class Entry:
    """An image on its way into the manifest: `tags` count only where there is no mask.

    `source` is what messages name in place of a mask that was made here.
    """

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] = ()
    source: str = ""


class Seen(NamedTuple):
    """What one reading of an image tells: its size, what care it takes, the start of its md5."""

    size: Size
    care: tuple[str, ...]
    digest: "hashlib._Hash"


def read_lines(path: Path) -> list[str]:
    """Lines of a small text file without surrounding blanks; empty last lines are dropped.

    Raises:
        UserError: the file is missing or is no UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors like to put a mark in front
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8 text ({error})") from error
    return [line.strip() for line in text.rstrip().splitlines()]


def read_ids(path: Path) -> list[str]:
    """Image ids from a list file, one a line, in its order.

    Raises:
        UserError: the file is missing, or an id stands in it twice.
    """
    ids = [line for line in read_lines(path) if line]
    doubles = [name for name, count in Counter(ids).items() if count > 1]
    if doubles:
        raise UserError(f"{path} has ids twice: {name_some(doubles)}")
    return ids


def read_table(path: Path, header: Sequence[str]) -> list[dict[str | None, str]]:
    """The rows of a small CSV file, under None the cells beyond its columns.

    Raises:
        UserError: the file is missing, is no CSV, or has another header.
    """
    reader = csv.DictReader(io.StringIO("\n".join(read_lines(path))))
    try:
        if list(reader.fieldnames or []) != list(header):
            raise UserError(
                f"{path} must have the header {','.join(header)} and commas between its columns"
            )
        return list(reader)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}, is no CSV ({error})") from None


def look_at(path: Path) -> Seen:
    """Read an image once: check that it can be decoded, and begin the md5 of its row.

    Raises:
        UserError: the file is missing or is no readable image.
    """
    data = read_file(path, "an image")
    size, care = check_image(path, data)
    return Seen(size, care, hashlib.md5(data, usedforsecurity=False))


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
        classes: what mask indices may stand for; None where that is not known.
        folder: folder the manifest will lie in.
        data_root: what `@root/` stands for.
        problems: what was found wrong before, to be told together with what is found here.

    Raises:
        DataError: images or masks are missing, unreadable, of different sizes, or masks hold
            indices past the classes; also where a split that training needs stays empty.
    """
    problems = Problems() if problems is None else problems
    rows = [row for row, _ in look_at_all(entries, classes, folder, data_root, problems)]
    if not problems:
        with problems.gathered():
            need_splits(rows)
    problems.refuse(data_root)
    return rows


def look_at_all(
    entries: Sequence[Entry],
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
    problems: Problems,
) -> Iterator[tuple[Row, Bytes | None]]:
    """The rows of `make_rows` one by one, each with its mask (H, W) where it has a good one.

    Images that cannot be read are left out; what is wrong is added to `problems`.
    """
    for entry in track(entries, "check images and masks"):
        seen, mask_HW = None, None
        try:
            seen = look_at(entry.image)
        except UserError as error:
            problems.say(IMAGES, error)
        try:
            if entry.mask is not None:
                mask_HW, seen = _look_at_mask(entry, seen, classes)
        except UserError as error:
            problems.say(MASKS, error)
        if seen is not None:
            image = _relative(entry.image, folder, data_root)
            mask = "" if entry.mask is None else _relative(entry.mask, folder, data_root)
            tags = entry.tags if mask_HW is None else tags_of_mask(mask_HW)
            files = entry.id, image, mask, entry.split
            yield Row(*files, tags, *seen.size, seen.digest.hexdigest(), seen.care), mask_HW


def need_splits(rows: Iterable[Row]) -> None:
    """Check that there is something to train on and something to validate on.

    Raises:
        UserError: no image is strong, none is weak, or none is for validation.
    """
    counts = Counter(row.split for row in rows)
    for split, meaning in (
        ("strong", "images to train on with their masks"),
        ("weak", "further images to train on with their tags only"),
        ("val", "images with masks to validate on"),
    ):
        if not counts[split]:
            raise UserError(f"the data set has no {split} images: it needs {meaning}")


def _look_at_mask(
    entry: Entry, seen: Seen | None, classes: ClassList | None
) -> tuple[Bytes | None, Seen | None]:
    """An entry's mask (H, W), once it fits its image; what was seen, with the mask's part."""
    assert entry.mask is not None
    data = read_file(entry.mask, "a mask")
    mask = read_mask(entry.mask, None if classes is None else len(classes), data=data)
    if seen is None:
        return None, None
    if mask.size != seen.size:
        raise UserError(
            f"{entry.source or entry.mask} is {mask.width}x{mask.height} pixels, but its image "
            f"{entry.image.name} is {seen.size[0]}x{seen.size[1]}{_lying(mask.size, seen)}"
        )
    seen.digest.update(data)
    mask_HW = np.asarray(mask)
    if mask_HW.min() == IGNORE:
        seen = seen._replace(care=(*seen.care, "with a mask of 255 alone"))
    return mask_HW, seen


def _lying(size: Size, seen: Seen) -> str:
    """The way out where a mask fits the photograph as it was shot and not as it is shown."""
    if size != seen.size[::-1] or "turned by EXIF" not in seen.care:
        return ""
    return " as its EXIF tag turns it: turn the mask as well"


def _relative(path: Path, folder: Path, data_root: Path) -> str:
    """The manifest's way to write a path."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return ROOT + path.relative_to(data_root).as_posix()
