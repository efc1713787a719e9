"""Masks whose colours stand for classes, by the table colours.csv."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import BORDER_COLOUR, Bytes, open_mask, write_mask
from pipeline.data.manifest import IGNORE, ClassList, make_classes
from pipeline.datasets.folder.find_files import read_classes_txt
from pipeline.datasets.reading.manifest_rows import MASKS
from pipeline.datasets.reading.problems import Problems
from pipeline.datasets.reading.text_files import read_table

HEADER = ("name", "red", "green", "blue")
NAMES = ("colours.csv", "colors.csv")
IGNORED = "ignore"  # the name of a colour that means 255
NAMED = 3  # unknown colours listed for a mask

Colour = tuple[int, int, int]
Table = dict[str, list[Colour]]


def find_table(root: Path) -> Path | None:
    """The colour table of a folder, or None."""
    return next((root / name for name in NAMES if (root / name).exists()), None)


def read_colours(path: Path) -> Table:
    """Colours by class name, in the order of the file; a class may have several.

    Raises:
        UserError: the file is missing or not such a table, or one colour has two names.
    """
    table: Table = {}
    owners: dict[Colour, str] = {}
    for number, row in enumerate(read_table(path, HEADER), start=2):
        try:
            red, green, blue = (int(row[key]) for key in HEADER[1:])
            if None in row or not {red, green, blue} <= set(range(256)):
                raise ValueError
        except (TypeError, ValueError):
            raise UserError(
                f"{path}, line {number}: expected a name and three numbers from 0 to 255"
            ) from None
        name, colour = row["name"].strip(), (red, green, blue)
        if owners.setdefault(colour, name) != name:
            raise UserError(f"{path}: {colour} is the colour of {owners[colour]!r} and {name!r}")
        table.setdefault(name, []).append(colour)
    return table


def coloured_classes(path: Path, table: Table) -> ClassList:
    """The classes with their first colours: from classes.txt beside the table, else from the table.

    Raises:
        UserError: the names cannot be classes, or the two files have different ones.
    """
    listing = path.with_name("classes.txt")
    names = [name for name in table if name != IGNORED]
    try:
        classes = read_classes_txt(listing) if listing.exists() else make_classes(names)
    except UserError as error:
        raise error if listing.exists() else UserError(f"{path}: {error}") from None
    odd = sorted(set(names) ^ set(classes.names))
    if odd:
        raise UserError(f"{path} and {listing} differ in {', '.join(odd)}; list the same classes")
    return replace(classes, colours=tuple(table[name][0] for name in classes.names))


def index_masks(
    masks: Mapping[str, Path], table: Table, classes: ClassList, folder: Path, problems: Problems
) -> dict[str, Path]:
    """Write every mask as class indices to `folder/masks`; the new files by stem.

    Problems: a mask cannot be read, or has a colour that is not in the table.
    """
    (folder / "masks").mkdir(exist_ok=True)
    places = {name: index for index, name in enumerate(classes.names)} | {IGNORED: IGNORE}
    lookup = {code(BORDER_COLOUR): IGNORE}  # VOC's own, unless a class has it
    lookup |= {code(colour): places[name] for name in table for colour in table[name]}
    made = {}
    for stem, path in track(list(masks.items()), "read the colours of masks"):
        try:
            write_mask(folder / "masks" / f"{stem}.png", read_indices(path, lookup), classes)
            made[stem] = folder / "masks" / f"{stem}.png"
        except UserError as error:
            problems.say(MASKS, error)
    return made


def code(colour: Colour) -> int:
    """A colour as one number.

    >>> code((1, 2, 3))
    66051
    """
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def read_indices(path: Path, lookup: Mapping[int, int]) -> Bytes:
    """Class indices of a mask of colours, (H, W); transparency is dropped.

    Args:
        path: a PNG whose pixels, or whose palette, are colours.
        lookup: class index by `code` of the colour.

    Raises:
        UserError: it is not a PNG of 8 bits, or has other colours; the most frequent are listed.
    """
    image = open_mask(path)
    if image.mode not in ("RGB", "RGBA", "P", "L", "LA"):
        raise UserError(f"{path} is a mask in mode {image.mode}; save its colours with 8 bits")
    rgb_HW3 = np.asarray(image.convert("RGB"), dtype=np.uint32)
    codes_HW = rgb_HW3[..., 0] << 16 | rgb_HW3[..., 1] << 8 | rgb_HW3[..., 2]
    found, place, counts = np.unique(codes_HW, return_inverse=True, return_counts=True)
    unknown = [
        (-n, c) for c, n in zip(found.tolist(), counts.tolist(), strict=True) if c not in lookup
    ]
    if unknown:
        raise UserError(
            f"{path} has {_name(unknown)}; add them to the colour table or recolour the pixels"
        )
    indices = np.array([lookup[c] for c in found.tolist()], np.uint8)
    mask_HW: Bytes = indices[place.reshape(codes_HW.shape)]
    return mask_HW


def _name(unknown: list[tuple[int, int]]) -> str:
    """The most frequent of some colours that are not in the table, with their pixels."""
    texts = [
        f"the colour {colour >> 16},{colour >> 8 & 255},{colour & 255} in {-count} pixels"
        for count, colour in sorted(unknown)[:NAMED]
    ]
    rest = len(unknown) - NAMED
    return ", ".join(texts) + (f", and {rest} more unknown colours" if rest > 0 else "")
