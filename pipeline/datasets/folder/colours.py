"""Masks whose colours stand for classes, by the table colours.csv."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.images import BORDER_COLOUR, MASK_FORMATS, Bytes, bits_of, open_mask
from pipeline.data.manifest import IGNORE, voc_palette
from pipeline.datasets.folder.class_names import (
    BACKGROUND,
    Labels,
    find_list,
    make_labels,
    read_list,
)
from pipeline.datasets.reading.manifest_rows import MaskReader, MaskSeen
from pipeline.datasets.reading.text_files import read_lines, read_table

HEADER = ("name", "red", "green", "blue")
LABELMAP = "labelmap.txt"  # of CVAT and datumaro: name:red,green,blue:parts:actions
NAMES = ("colours.csv", "colors.csv", LABELMAP)
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
    rows = read_labelmap(path) if path.name == LABELMAP else read_table(path, HEADER)
    for number, row in enumerate(rows, start=2):
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


def read_labelmap(path: Path) -> list[dict[str | None, str]]:
    """The rows of a labelmap.txt as those of colours.csv; without colours it means VOC's.

    Raises:
        UserError: the file is not text.
    """
    lines = [line for line in read_lines(path) if line and not line.startswith("#")]
    rows: list[dict[str | None, str]] = []
    for line, own in zip(lines, voc_palette(len(lines)), strict=True):
        name, _, rest = line.partition(":")
        colour = rest.split(":")[0] or ",".join(map(str, own))
        rows.append(dict(zip(HEADER, [name, *colour.split(","), "", ""], strict=False)))
    return rows


def coloured_labels(path: Path, table: Table) -> Labels:
    """The classes with their first colours: from a list beside the table, else from the table.

    Raises:
        UserError: the names cannot be classes, none is background, or the list has other ones.
    """
    listing = find_list(path.parent)
    if listing.exists():
        labels = read_list(listing)
    else:
        try:
            labels = make_labels(list(table), path)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    if labels.first:
        raise UserError(
            f"{path} has no {BACKGROUND}: add the line {BACKGROUND},0,0,0 with its colour, or call "
            f"{labels.first!r} {BACKGROUND} if it is that"
        )
    colours = {labels.find(name): each[0] for name, each in reversed(table.items())}
    odd = [name for name in table if labels.find(name) is None]
    odd += [name for index, name in enumerate(labels.classes.names) if index not in colours]
    if odd:
        raise UserError(f"{path} and {listing} differ in {', '.join(odd)}; list the same classes")
    known = tuple(colours[index] for index in range(len(labels.classes)))
    return replace(labels, classes=replace(labels.classes, colours=known))


class ColourMasks(MaskReader):
    """Reads masks of colours."""

    def __init__(self, table: Table, labels: Labels) -> None:
        """Take the colours and what their names mean."""
        self.lookup = {code(BORDER_COLOUR): IGNORE}  # VOC's own, unless a class has it
        for name, colours in table.items():
            label = labels.find(name)
            assert label is not None
            self.lookup |= {code(colour): label for colour in colours}

    def read(self, path: Path, data: bytes) -> MaskSeen:
        """Class indices of a mask, (H, W); raises what `read_indices` does."""
        return MaskSeen(read_indices(path, data, self.lookup), (), written=True)


def code(colour: Colour) -> int:
    """A colour as one number.

    >>> code((1, 2, 3))
    66051
    """
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def read_indices(path: Path, data: bytes, lookup: Mapping[int, int]) -> Bytes:
    """Class indices of a mask of colours, (H, W); transparency is dropped.

    Args:
        path: a mask whose pixels, or whose palette, are colours.
        data: its content.
        lookup: class index by `code` of the colour.

    Raises:
        UserError: it is no mask of 8 bits, or has other colours; the most frequent are listed.
    """
    image = open_mask(path, data, MASK_FORMATS)
    if image.mode not in ("RGB", "RGBA", "P", "L", "LA", "1") or bits_of(image, data) > 8:
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
