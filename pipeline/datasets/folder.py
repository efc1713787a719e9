"""The user's own photographs: images/, masks/, tags.csv and classes.txt in one folder."""

import csv
import io
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.common import Entry, make_rows, name_some, read_ids, read_lines
from pipeline.errors import UserError
from pipeline.manifest import ClassList, Row, make_classes
from pipeline.params import Params

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

log = logging.getLogger(__name__)


def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
    """Manifest rows of the user's own data set.

    `data_root` holds `images/`, `classes.txt` (one name a line, background first), and

    - `masks/<stem>.png`: class indices, 255 = ignore, for the images that have a mask;
    - `tags.csv` with the columns image (file name or stem) and tags (class names joined by `;`),
      for the images that have none; where there is a mask, its classes are the tags, and an
      empty cell means that the image is not tagged yet;
    - optionally `splits/train.txt` and `splits/val.txt` with stems, one a line.

    Images of val.txt validate and need masks. Without it, a random share of the masked images
    does, drawn from train.txt where that is there. Of the others, or of train.txt, images with a
    mask are strong, with tags only weak. The rest is left out, with a warning that counts it.

    Args:
        folder: the data set's folder; nothing is made in it.
        data_root: the user's folder.
        params: `download.folder.val_share`, drawn with `seed`.

    Raises:
        UserError: something is missing or does not fit together; the message lists every case of
            the kind of mistake found first.
    """
    classes = read_classes_txt(data_root / "classes.txt")
    images = find_images(data_root / "images")
    masks = find_masks(data_root / "masks", images)
    tags = read_tags(data_root / "tags.csv", images, classes)
    share = params.download.folder.val_share
    train, val = read_splits(data_root / "splits", images, masks, share, params.seed)
    splits = {name: "strong" if name in masks else "weak" for name in train}
    splits |= dict.fromkeys(val, "val")
    entries = [
        Entry(name, path, masks.get(name), splits[name], tags.get(name, ()))
        for name, path in images.items()
        if name in splits and (name in masks or name in tags)
    ]
    used = {entry.id for entry in entries}
    left_out = [name for name in images if name not in used]
    if left_out:
        log.warning(
            "%d images are left out, as they have neither mask nor tags or are in no list: %s",
            len(left_out),
            name_some(left_out),
        )
    return make_rows(entries, classes, folder, data_root), classes


def read_classes_txt(path: Path) -> ClassList:
    """Class names, one a line, background first.

    Raises:
        UserError: the file is missing, or the names are no class list.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: write the class names, one a line, background first")
    try:
        return make_classes(read_lines(path))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def find_images(folder: Path) -> dict[str, Path]:
    """Images by file stem, in the stems' order; files that begin with a dot are passed over.

    Raises:
        UserError: the folder is missing or empty, something in it is no image, or two images have
            the same stem.
    """
    found = _list_folder(folder)
    if not found:
        raise UserError(f"{folder} holds no images")
    strange = [path.name for path in found if path.suffix.lower() not in SUFFIXES]
    if strange:
        raise UserError(
            f"{folder} must hold image files only ({' '.join(SUFFIXES)}); convert or move out: "
            f"{name_some(strange)}"
        )
    by_stem = defaultdict(list)
    for path in found:
        by_stem[path.stem].append(path)
    doubles = [path.name for paths in by_stem.values() if len(paths) > 1 for path in paths]
    if doubles:
        raise UserError(f"{folder} has images with the same stem; rename: {name_some(doubles)}")
    return {stem: paths[0] for stem, paths in sorted(by_stem.items())}


def find_masks(folder: Path, images: Mapping[str, Path]) -> dict[str, Path]:
    """Masks by the stem of their image.

    Raises:
        UserError: the folder is missing, a file in it is no PNG or has no image.
    """
    found = _list_folder(folder)
    strange = [path.name for path in found if path.suffix.lower() != ".png"]
    if strange:
        raise UserError(f"{folder}: masks are PNG files of class indices, not {name_some(strange)}")
    orphans = [path.name for path in found if path.stem not in images]
    if orphans:
        raise UserError(f"{folder} has masks without an image in images/: {name_some(orphans)}")
    return {path.stem: path for path in found}


def read_tags(
    path: Path, images: Mapping[str, Path], classes: ClassList
) -> dict[str, tuple[int, ...]]:
    """Class indices of every image that is tagged; none at all where there is no tags.csv.

    Raises:
        UserError: the columns are others, an image is unknown or stands twice, a tag is unknown.
    """
    if not path.exists():
        return {}
    reader = csv.DictReader(io.StringIO("\n".join(read_lines(path))))
    if list(reader.fieldnames or []) != ["image", "tags"]:
        raise UserError(f"{path} must have the header image,tags and commas between its columns")
    stems = {image.name: stem for stem, image in images.items()} | {stem: stem for stem in images}
    index = {name: number for number, name in enumerate(classes.names) if number}
    tags: dict[str, tuple[int, ...]] = {}
    unknown, doubled, untold = [], [], []
    for entry in reader:
        names = [name.strip() for name in (entry["tags"] or "").split(";") if name.strip()]
        stem = stems.get(entry["image"].strip())
        if stem is None:
            unknown.append(entry["image"])
        elif stem in tags or None in entry:
            doubled.append(entry["image"])
        untold += [f"{name!r} of {entry['image']}" for name in names if name not in index]
        if names and stem is not None:
            tags[stem] = tuple(sorted({index[name] for name in names if name in index}))
    _refuse(path, "tags images that are not in images/", unknown)
    _refuse(path, "has more than one row or too many columns for", doubled)
    _refuse(path, f"has tags that are none of {', '.join(classes.names[1:])}", untold)
    return tags


def read_splits(
    folder: Path, images: Mapping[str, Path], masks: Mapping[str, Path], share: float, seed: int
) -> tuple[list[str], list[str]]:
    """Stems of the training and of the validation images.

    Raises:
        UserError: a list has unknown stems, the lists overlap, or a val image has no mask.
    """
    train, val = (_read_list(folder / f"{name}.txt", images) for name in ("train", "val"))
    pool = list(images) if train is None else train
    if val is None:
        val = draw_val([name for name in pool if name in masks], share, seed)
    elif train is not None:
        _refuse(folder, "train.txt and val.txt share", [name for name in val if name in train])
    _refuse(folder / "val.txt", "lists images without a mask", [n for n in val if n not in masks])
    held_out = set(val)
    return [name for name in pool if name not in held_out], val


def draw_val(masked: Sequence[str], share: float, seed: int) -> list[str]:
    """Draw a share of the masked images, at least one of them; the order does not matter."""
    if not masked:
        return []
    count = max(1, round(share * len(masked)))
    chosen = np.random.default_rng(seed).choice(len(masked), size=count, replace=False)
    return [name for number, name in enumerate(sorted(masked)) if number in chosen]


def _read_list(path: Path, images: Mapping[str, Path]) -> list[str] | None:
    """Stems of a list file, None where there is none."""
    if not path.exists():
        return None
    stems = read_ids(path)
    _refuse(path, "lists images that are not in images/", [s for s in stems if s not in images])
    return stems


def _list_folder(folder: Path) -> list[Path]:
    """Everything in a folder, sorted, but what begins with a dot."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not there: it is one of the folders that data_root must hold")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _refuse(path: Path, problem: str, cases: Sequence[str]) -> None:
    """Raise when there is a case of the problem."""
    if cases:
        raise UserError(f"{path} {problem}: {name_some(cases)}")
