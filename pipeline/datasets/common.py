"""What the readers of real data sets share: lists of ids, pairs of image and mask, their checks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.images import read_mask, tags_of_mask
from pipeline.manifest import ROOT, ClassList, Row
from pipeline.progress import track

NAMED = 10  # so many of a kind of problem are named, the rest is counted


@dataclass(frozen=True)
class Entry:
    """An image on its way into the manifest: `tags` count only where there is no mask."""

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] = ()


def name_some(items: Iterable[object], joint: str = ", ") -> str:
    """Name the first ten things and count the rest.

    >>> name_some("abc")
    'a, b, c'
    >>> name_some(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more'
    """
    texts = [str(item) for item in items]
    if len(texts) > NAMED:
        texts[NAMED:] = [f"and {len(texts) - NAMED} more"]
    return joint.join(texts)


def read_lines(path: Path) -> list[str]:
    """Lines of a small text file without surrounding blanks; empty last lines are dropped.

    Raises:
        UserError: the file is missing or is no UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors like to put a mark in front
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except (OSError, UnicodeDecodeError) as error:
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


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image as `read_image` opens it, read from its header alone.

    Raises:
        UserError: the file is missing or is no readable image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            lying = image.getexif().get(0x0112, 1) >= 5  # orientations that swap the sides
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image ({error})") from error
    return (height, width) if lying else (width, height)


def make_rows(
    entries: Sequence[Entry], classes: ClassList, folder: Path, data_root: Path
) -> list[Row]:
    """Manifest rows, with sizes from the images and tags from the masks.

    Args:
        entries: images whose files lie under `folder` or `data_root`.
        classes: what mask indices may stand for.
        folder: folder the manifest will lie in.
        data_root: what `@root/` stands for.

    Raises:
        UserError: images or masks are missing, unreadable, of different sizes, or masks hold
            indices past the classes; also where a split that training needs stays empty.
    """
    rows, problems = [], []
    for entry in track(entries, "check images and masks"):
        try:
            size = image_size(entry.image)
            tags = entry.tags if entry.mask is None else _mask_tags(entry, size, len(classes))
        except UserError as error:
            problems.append(error)
            continue
        image = _relative(entry.image, folder, data_root)
        mask = "" if entry.mask is None else _relative(entry.mask, folder, data_root)
        rows.append(Row(entry.id, image, mask, entry.split, tags, *size))
    if problems:
        listed = name_some(problems, joint="\n  ")
        raise UserError(f"{len(problems)} images or masks cannot be used:\n  {listed}")
    need_splits(rows)
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


def _mask_tags(entry: Entry, size: tuple[int, int], classes: int) -> tuple[int, ...]:
    """Tags from an entry's mask, once that fits its image."""
    assert entry.mask is not None
    mask = read_mask(entry.mask, classes)
    if mask.size != size:
        raise UserError(
            f"{entry.mask} is {mask.size[0]}x{mask.size[1]} pixels, but its image "
            f"{entry.image.name} is {size[0]}x{size[1]}"
        )
    return tags_of_mask(np.asarray(mask))


def _relative(path: Path, folder: Path, data_root: Path) -> str:
    """The manifest's way to write a path."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return ROOT + path.relative_to(data_root).as_posix()
