"""What the readers of real data sets share: lists of ids, pairs of image and mask, their checks."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.datasets.problems import Problems, name_some
from pipeline.errors import UserError
from pipeline.images import Size, check_image, read_file, read_mask, tags_of_mask
from pipeline.manifest import IGNORE, ROOT, ClassList, Row
from pipeline.progress import track

IMAGES, MASKS = "images cannot be used", "masks cannot be used"


@dataclass(frozen=True)
class Entry:
    """An image on its way into the manifest: `tags` count only where there is no mask."""

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] = ()


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
    rows = []
    for entry in track(entries, "check images and masks"):
        seen, tags = None, entry.tags
        try:
            seen = look_at(entry.image)
        except UserError as error:
            problems.say(IMAGES, error)
        try:
            if entry.mask is not None:
                tags, seen = _look_at_mask(entry, seen, classes)
        except UserError as error:
            problems.say(MASKS, error)
        if seen is not None:
            image = _relative(entry.image, folder, data_root)
            mask = "" if entry.mask is None else _relative(entry.mask, folder, data_root)
            files = entry.id, image, mask
            rows.append(
                Row(*files, entry.split, tags, *seen.size, seen.digest.hexdigest(), seen.care)
            )
    if not problems:
        with problems.gathered():
            need_splits(rows)
    problems.refuse(data_root)
    return rows


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
) -> tuple[tuple[int, ...], Seen | None]:
    """Tags from an entry's mask, once that fits its image; what was seen, with the mask's part."""
    assert entry.mask is not None
    data = read_file(entry.mask, "a mask")
    mask = read_mask(entry.mask, None if classes is None else len(classes), data=data)
    if seen is None:
        return (), None
    if mask.size != seen.size:
        raise UserError(
            f"{entry.mask} is {mask.size[0]}x{mask.size[1]} pixels, but its image "
            f"{entry.image.name} is {seen.size[0]}x{seen.size[1]}"
        )
    seen.digest.update(data)
    mask_HW = np.asarray(mask)
    if mask_HW.min() == IGNORE:
        seen = seen._replace(care=(*seen.care, "with a mask of 255 alone"))
    return tags_of_mask(mask_HW), seen


def _relative(path: Path, folder: Path, data_root: Path) -> str:
    """The manifest's way to write a path."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return ROOT + path.relative_to(data_root).as_posix()
