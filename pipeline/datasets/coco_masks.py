"""COCO's instances as semantic masks: which object a pixel belongs to where several claim it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as rle

from pipeline.datasets.json_stream import stream_arrays
from pipeline.errors import UserError
from pipeline.images import Bytes
from pipeline.manifest import IGNORE


class Picture(NamedTuple):
    """One image of an instances file: file name and size in pixels."""

    file_name: str
    width: int
    height: int


class Instance(NamedTuple):
    """One annotation: contiguous class, area in pixels, crowd or not, compressed run lengths."""

    label: int
    area: float
    crowd: bool
    runs: bytes


@dataclass(frozen=True)
class Index:
    """Images by id, and category names by id in the order of the ids."""

    pictures: dict[int, Picture]
    categories: dict[int, str]


def read_index(path: Path) -> Index:
    """Images and categories of an instances file.

    Raises:
        UserError: the file is missing, damaged, or not an instances file.
    """
    pictures, categories = {}, {}
    try:
        for key, item in stream_arrays(path):
            if key == "images":
                size = int(item["width"]), int(item["height"])
                pictures[int(item["id"])] = Picture(item["file_name"], *size)
            elif key == "categories":
                categories[int(item["id"])] = str(item["name"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: an entry of {key!r} is not COCO's ({error!r})") from error
    if not pictures or not categories:
        raise UserError(f"{path} names no images or no categories; it is no instances file")
    return Index(pictures, dict(sorted(categories.items())))


def read_instances(path: Path, index: Index) -> dict[int, list[Instance]]:
    """Annotations of every image that has any, as run lengths: some 300 bytes an object.

    Category ids have gaps; the class of a category is its rank among the ids plus one.

    Raises:
        UserError: an annotation is damaged, or its image or category is not in the file.
    """
    labels = {category: rank for rank, category in enumerate(index.categories, start=1)}
    found: dict[int, list[Instance]] = {}
    for key, item in stream_arrays(path):
        if key != "annotations":
            continue
        try:
            picture = index.pictures[item["image_id"]]
            runs = encode(item["segmentation"], picture.height, picture.width)
            instance = Instance(
                labels[item["category_id"]], float(item["area"]), bool(item["iscrowd"]), runs
            )
        except (KeyError, TypeError, ValueError) as error:
            number = item.get("id") if isinstance(item, dict) else item
            raise UserError(f"{path}: annotation {number} is not COCO's ({error!r})") from error
        if runs:
            found.setdefault(item["image_id"], []).append(instance)
    return found


def encode(segmentation: Any, height: int, width: int) -> bytes:
    """Compressed run lengths of a segmentation: polygons, or run lengths of either kind.

    Returns:
        The run lengths; empty where no polygon has three corners.
    """
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"run lengths of size {segmentation['size']}, not {[height, width]}")
        counts = segmentation["counts"]
        if isinstance(counts, str):
            return counts.encode("ascii")
        return bytes(rle.frPyObjects(segmentation, height, width)["counts"])
    # pycocotools takes four numbers for a box, so what is no polygon must not reach it.
    polygons = [corners for corners in segmentation if len(corners) >= 6]
    if not polygons:
        return b""
    return bytes(rle.merge(rle.frPyObjects(polygons, height, width))["counts"])


def rasterise(instances: Sequence[Instance], height: int, width: int) -> Bytes:
    """Paint annotations into one mask of class indices, (height, width).

    There is no standard way to do so; this is the one chosen here. Crowd regions are painted
    first and as 255, for they are not outlined object by object and their class is not to be
    trusted at the pixel; every real object wins over them. Then come the objects from the largest
    area to the smallest, so that the smaller lies on top. What nobody claims is background.
    """
    mask_HW = np.zeros((height, width), dtype=np.uint8)
    for instance in sorted(instances, key=lambda item: (not item.crowd, -item.area)):
        region_HW = rle.decode({"size": [height, width], "counts": instance.runs})
        mask_HW[region_HW != 0] = IGNORE if instance.crowd else instance.label
    return mask_HW
