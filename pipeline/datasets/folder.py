"""The user's own photographs: images/, masks/, tags.csv and classes.txt in one folder."""

import csv
import io
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.common import Entry, make_rows, read_ids, read_lines
from pipeline.datasets.names import check_names, composed
from pipeline.datasets.problems import Problems, name_some
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
        DataError: something is missing or does not fit together; the message has every kind of
            mistake.
    """
    problems = Problems()
    classes = None
    with problems.gathered():
        classes = read_classes_txt(data_root / "classes.txt")
    images = find_images(data_root / "images", problems)
    masks = find_masks(data_root / "masks", images, problems)
    tags = read_tags(data_root / "tags.csv", images, classes, problems)
    share = params.download.folder.val_share
    train, val = read_splits(data_root / "splits", images, masks, share, params.seed, problems)
    splits = {name: "strong" if name in masks else "weak" for name in train}
    splits |= dict.fromkeys(val, "val")
    entries = [
        Entry(name, path, masks.get(name), splits[name], tags.get(name, ()))
        for name, path in images.items()
        if name in splits and (name in masks or name in tags)
    ]
    rows = make_rows(entries, classes, folder, data_root, problems)
    assert classes is not None
    _check_objects(rows, data_root / "masks")
    used = {entry.id for entry in entries}
    left_out = [name for name in images if name not in used]
    if left_out:
        log.warning(
            "%d images are left out, as they have neither mask nor tags or are in no list: %s",
            len(left_out),
            name_some(left_out),
        )
    return rows, classes


def read_classes_txt(path: Path) -> ClassList:
    """Class names, one a line, background first.

    Raises:
        UserError: the file is missing, or the names are no class list.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: write the class names, one a line, background first")
    lines = read_lines(path)
    try:
        return make_classes(lines)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def find_images(folder: Path, problems: Problems) -> dict[str, Path]:
    """Images by file stem, in the stems' order; files that begin with a dot are passed over.

    A problem is: the folder is missing or empty, something in it is no image, two images have the
    same stem, or a name could not be that of a file beside it.
    """
    found = _list_folder(folder, problems)
    problems.add(
        f"{folder} must hold image files only ({' '.join(SUFFIXES)}); convert or move out",
        [path.name for path in found if path.suffix.lower() not in SUFFIXES],
    )
    by_stem = defaultdict(list)
    for path in found:
        if path.suffix.lower() in SUFFIXES:
            by_stem[path.stem].append(path)
    problems.add(
        f"{folder} has images with the same stem; rename",
        [path.name for paths in by_stem.values() if len(paths) > 1 for path in paths],
    )
    check_names(by_stem, folder, problems)
    if not by_stem and folder.is_dir():
        problems.add(f"{folder} holds no images", ["put photographs there"])
    return {stem: paths[0] for stem, paths in sorted(by_stem.items())}


def find_masks(folder: Path, images: Mapping[str, Path], problems: Problems) -> dict[str, Path]:
    """Masks by the stem of their image.

    A problem is: the folder is missing, a file in it is no PNG or has no image.
    """
    stems = {composed(stem): stem for stem in images}
    found = _list_folder(folder, problems)
    pngs = [path for path in found if path.suffix.lower() == ".png"]
    problems.add(
        f"{folder}: masks are PNG files of class indices; convert or move out",
        [path.name for path in found if path.suffix.lower() != ".png"],
    )
    if images:
        problems.add(
            f"{folder} has masks without an image in images/",
            [path.name for path in pngs if composed(path.stem) not in stems],
        )
    return {stems[composed(path.stem)]: path for path in pngs if composed(path.stem) in stems}


def read_tags(
    path: Path, images: Mapping[str, Path], classes: ClassList | None, problems: Problems
) -> dict[str, tuple[int, ...]]:
    """Class indices of every image that is tagged; none at all where there is no tags.csv.

    A problem is: the columns are others, an image is unknown or stands twice, a tag is unknown.
    """
    table: list[dict[str | None, str]] = []
    with problems.gathered():
        table = _read_table(path)
    stems = {composed(image.name): stem for stem, image in images.items()}
    stems |= {composed(stem): stem for stem in images}
    names = classes.names if classes else ()
    index = {name: number for number, name in enumerate(names) if number}
    tags: dict[str, tuple[int, ...]] = {}
    seen: set[str] = set()
    unknown, doubled, untold = [], [], []
    for entry in table:
        named = [name.strip() for name in (entry["tags"] or "").split(";") if name.strip()]
        stem = stems.get(composed(entry["image"].strip()))
        if stem is None:
            unknown.append(entry["image"])
        elif stem in seen or None in entry:
            doubled.append(entry["image"])
        else:
            seen.add(stem)
        untold += [f"{name!r} of {entry['image']}" for name in named if name not in index]
        if named and stem is not None:
            tags[stem] = tuple(sorted({index[name] for name in named if name in index}))
    if images:
        problems.add(f"{path} tags images that are not in images/", unknown)
    problems.add(f"{path} has more than one row or too many columns for", doubled)
    if classes:
        problems.add(f"{path} has tags that are none of {', '.join(names[1:])}", untold)
    return tags


def read_splits(
    folder: Path,
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    share: float,
    seed: int,
    problems: Problems,
) -> tuple[list[str], list[str]]:
    """Stems of the training and of the validation images.

    A problem is: a list has unknown stems, the lists overlap, or a val image has no mask.
    """
    train, val = (_read_list(folder / f"{name}.txt", images, problems) for name in ("train", "val"))
    pool = list(images) if train is None else train
    if val is None:
        val = draw_val([name for name in pool if name in masks], share, seed)
    else:
        taught = set(train or ())
        problems.add(
            f"{folder} train.txt and val.txt share", [name for name in val if name in taught]
        )
    problems.add(
        f"{folder / 'val.txt'} lists images without a mask", [n for n in val if n not in masks]
    )
    held_out = set(val)
    return [name for name in pool if name not in held_out], val


def draw_val(masked: Sequence[str], share: float, seed: int) -> list[str]:
    """Draw a share of the masked images, at least one of them; the order does not matter."""
    if not masked:
        return []
    count = max(1, round(share * len(masked)))
    chosen = np.random.default_rng(seed).choice(len(masked), size=count, replace=False)
    return [name for number, name in enumerate(sorted(masked)) if number in chosen]


def _read_table(path: Path) -> list[dict[str | None, str]]:
    """The rows of tags.csv, under None the cells beyond its columns; none where it is not there."""
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO("\n".join(read_lines(path))))
    try:
        if list(reader.fieldnames or []) != ["image", "tags"]:
            raise UserError(
                f"{path} must have the header image,tags and commas between its columns"
            )
        return list(reader)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}, is no CSV ({error})") from None


def _read_list(path: Path, images: Mapping[str, Path], problems: Problems) -> list[str] | None:
    """Stems of a list file that are known, None where there is none."""
    if not path.exists():
        return None
    ids: list[str] = []
    with problems.gathered():
        ids = read_ids(path)
    stems = {composed(stem): stem for stem in images}
    if images:
        problems.add(
            f"{path} lists images that are not in images/",
            [name for name in ids if composed(name) not in stems],
        )
    return [stems[composed(name)] for name in ids if composed(name) in stems]


def _list_folder(folder: Path, problems: Problems) -> list[Path]:
    """Everything in a folder, sorted, but what begins with a dot."""
    with problems.gathered():
        try:
            return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(
                f"{folder} is not there: it is one of the folders that data_root must hold"
            ) from None
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror})") from error
    return []


def _check_objects(rows: Iterable[Row], masks: Path) -> None:
    """Refuse masks that hold no object at all: nobody draws such, but 0 and 255 are a habit.

    Raises:
        UserError: no strong image's mask has a class besides background.
    """
    if not any(row.tags for row in rows if row.split == "strong"):
        raise UserError(
            f"{masks}: no mask of a training image holds an object; pixels are class indices, the "
            "first class of classes.txt 0, the next 1, and 255 is ignored"
        )
