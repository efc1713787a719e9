"""COCO's instances as semantic masks; where objects overlap, `rasterise` decides."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as rle

from pipeline.base.errors import UserError
from pipeline.data.images import MOST_PIXELS, Bytes
from pipeline.data.manifest import IGNORE
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import is_plain_name
from pipeline.datasets.reading.json_stream import stream_arrays
from pipeline.datasets.reading.odd_values import ODD, OddValueError, reason, whole

Key = int | str  # an id


class CocoImage(NamedTuple):
    """One image of an instances file: file name and size in pixels."""

    file_name: str
    width: int
    height: int


class Instance(NamedTuple):
    """One annotation: contiguous class, area in pixels, crowd or not, compressed run lengths.

    `layer`: a higher one lies on top of a lower; COCO itself has none.
    """

    label: int
    area: float
    crowd: bool
    runs: bytes
    layer: int = 0


@dataclass(frozen=True)
class CocoIndex:
    """Images by id, and category names by id in the order of the ids.

    `groups` are names that other categories have as their supercategory. `damaged`: some entries
    could not be read, and problems were added.
    """

    images: dict[Key, CocoImage]
    categories: dict[Key, str]
    groups: frozenset[str] = frozenset()
    damaged: bool = False


def read_index(path: Path, findings: Findings, folders: bool = False) -> CocoIndex:
    """Images and categories of an instances file.

    `folders`: file names may contain folders. Problems: an entry lacks a key or
    has an impossible value, or an id is used twice.

    Raises:
        UserError: the file is missing, damaged, or not an instances file.
    """
    images: dict[Key, CocoImage] = {}
    categories: dict[Key, str] = {}
    groups: set[str] = set()
    damaged = False
    for key, item in stream_arrays(path):
        try:
            if key == "images":
                number = as_key(item["id"])
                _refuse_double(number, images)
                images[number] = _image(item, folders)
            elif key == "categories":
                number = as_key(item["id"])
                _refuse_double(number, categories)
                categories[number] = as_name(item["name"])
                groups |= {str(item.get("supercategory"))} - {categories[number]}
        except ODD as error:
            findings.add(f"{path}: invalid entries in {key!r}", [describe(item, error)])
            damaged = True
    if not damaged and not (images and categories):
        raise UserError(f"{path} has no images or no categories: it is not a COCO instances file")
    categories = {key: categories[key] for key in in_order(categories)}
    return CocoIndex(images, categories, frozenset(groups), damaged)


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Ids by size, those of text behind the numbers."""
    return sorted(keys, key=lambda key: (isinstance(key, str), key))


def as_key(value: Any) -> Key:
    """An id: whole numbers as such, also where a tool writes them as text; else the text.

    Raises:
        OddValueError: it is neither a whole number nor a text.
    """
    if isinstance(value, str):
        return int(value) if re.fullmatch("[0-9]{1,18}", value) else value
    return whole(value)


def read_instances(path: Path, index: CocoIndex, findings: Findings) -> dict[Key, list[Instance]]:
    """Annotations by image id, as run lengths: some 300 bytes an object.

    Category ids have gaps; the class of a category is its rank among the ids plus one. Problems: an
    annotation is damaged, or its image or category is not in the file.

    Raises:
        UserError: the file is missing or not JSON.
    """
    labels = {category: rank for rank, category in enumerate(index.categories, start=1)}
    found: dict[Key, list[Instance]] = {}
    for key, item in stream_arrays(path):
        if key != "annotations":
            continue
        try:
            image = index.images.get(item["image_id"])
            label = labels.get(item["category_id"])
            if image is None or label is None:
                if index.damaged:
                    continue
                raise OddValueError(f"its {'category' if image else 'image'} is not in the file")
            runs = encode(item["segmentation"], image.height, image.width)
            instance = Instance(label, finite(item["area"]), bool(item["iscrowd"]), runs)
        except ODD as error:
            findings.add(f"{path}: invalid annotations", [describe(item, error)])
            continue
        if runs:
            found.setdefault(item["image_id"], []).append(instance)
    return found


def encode(segmentation: Any, height: int, width: int) -> bytes:
    """Compressed run lengths of a segmentation: polygons, or run lengths of either kind.

    pycocotools is C code that does not check its input, so everything is checked here.

    Returns:
        The run lengths; empty if no polygon has three corners.

    Raises:
        OddValueError: run lengths of another size, or corners that are not points near the image.
        KeyError, TypeError: parts are missing or of another type.
    """
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise OddValueError(
                f"run lengths of size {segmentation['size']}, not {[height, width]}"
            )
        counts = segmentation["counts"]
        counts = unpack_counts(counts) if isinstance(counts, str) else list(counts)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise OddValueError("run lengths that are not counts")
        if sum(counts) != height * width:
            raise OddValueError(f"run lengths of {sum(counts)} pixels, not {height * width}")
        plain = {"size": [height, width], "counts": counts}
        return bytes(rle.frPyObjects(plain, height, width)["counts"])
    if not isinstance(segmentation, list):
        raise OddValueError("a segmentation must be a list of polygons or run lengths")
    # pycocotools takes four numbers for a box, so anything but polygons must not reach it.
    polygons = [_corners(corners, height, width) for corners in segmentation if len(corners) >= 6]
    if not polygons:
        return b""
    return bytes(rle.merge(rle.frPyObjects(polygons, height, width))["counts"])


def unpack_counts(text: str) -> list[int]:
    """Run lengths from COCO's compressed text: 5 bits a character, and a 6th if more follow.

    From the third on, a number is the difference to the last but one.

    >>> unpack_counts("04")
    [0, 4]

    Raises:
        OddValueError: the text is not such a text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise OddValueError(f"run lengths contain the character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << 1 << (shift - 5)  # the highest bit is the sign
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise OddValueError("run lengths end too soon")
    return counts


def _image(item: Any, folders: bool) -> CocoImage:
    """One entry of `images`, with a file name that stays in its folder and a possible size."""
    name, width, height = item["file_name"], whole(item["width"]), whole(item["height"])
    own = base_name(name) if folders and isinstance(name, str) else name
    if not isinstance(name, str) or not is_plain_name(own):
        raise OddValueError(f"file_name {name!r} is not a plain file name")
    check_size(width, height)
    return CocoImage(name, width, height)


def base_name(name: str) -> str:
    """The last part of a path of any system: tools write where the image was on their machine."""
    return re.split(r"[/\\]", name)[-1]


def check_size(width: int, height: int) -> None:
    """Refuse impossible image sizes."""
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise OddValueError(f"{width}x{height} pixels")


def _corners(corners: list[Any], height: int, width: int) -> list[float]:
    """One polygon as x, y, x, y, ..., none of them more than an image's side outside the image."""
    if len(corners) % 2:
        raise OddValueError("a polygon with an odd number of coordinates")
    numbers = [finite(corner) for corner in corners]
    for values, side in ((numbers[::2], width), (numbers[1::2], height)):
        if min(values) < -side or max(values) > 2 * side:
            raise OddValueError(f"corners far outside the image of {width}x{height} pixels")
    return numbers


def finite(value: Any) -> float:
    """A finite number as float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OddValueError(f"{value!r:.40} is not a number")
    return float(value)


def as_name(value: Any) -> str:
    """A label's name.

    Raises:
        OddValueError: it is no text.
    """
    if not isinstance(value, str | int):
        raise OddValueError(f"the name {value!r:.40} is no text")
    return str(value).strip()


def _refuse_double(number: Key, known: dict[Key, Any]) -> None:
    """Refuse a second entry with the same id."""
    if number in known:
        raise OddValueError("its id is used twice")


def describe(item: Any, error: Exception) -> str:
    """An entry by its id, and what is wrong with it."""
    number = item.get("id", "without id") if isinstance(item, dict) else item
    return f"{number!r:.40} ({reason(error)})"


def rasterise(instances: Sequence[Instance], height: int, width: int) -> Bytes:
    """Paint annotations into one mask of class indices, (height, width).

    There is no standard way to do so; this is the one chosen here. Crowd regions are painted first
    and as 255, because they do not outline single objects; every other object is painted over them.
    Then come the objects from the largest area to the smallest, so that the smaller lies on top,
    layer by layer if there are any; in each layer, what is itself 255 lies on top of all. All other
    pixels are background.
    """

    def height_of(item: Instance) -> tuple[bool, int, bool, float]:
        return not item.crowd, item.layer, item.label == IGNORE, -item.area

    mask_HW = np.zeros((height, width), dtype=np.uint8)
    for instance in sorted(instances, key=height_of):
        region_HW = rle.decode({"size": [height, width], "counts": instance.runs})
        mask_HW[region_HW != 0] = IGNORE if instance.crowd else instance.label
    return mask_HW
