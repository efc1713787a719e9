"""COCO JSON as annotation tools export it: often without area or iscrowd."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.datasets.folder.annotated_image import SHARES, AnnotatedImage, rectangle
from pipeline.datasets.folder.layout import split_of_file
from pipeline.datasets.reading.coco_instances import (
    Key,
    as_key,
    describe,
    encode,
    finite,
    read_index,
)
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.json_stream import stream_arrays
from pipeline.datasets.reading.odd_values import ODD, OddValueError

CROWD = "crowds of COCO read as pixels of their class"
SLIPS = "outlines with fewer than three corners read as tags"


def read_coco(paths: Sequence[Path], findings: Findings) -> tuple[list[AnnotatedImage], list[str]]:
    """The annotated images of one or more files, and the names of the categories.

    An annotation with a segmentation is an outline, also where `iscrowd` is 1, as most tools write
    masks that have holes or were painted with a brush. One without is a box. In several files,
    categories with one name are one class. A category that only groups others, as Roboflow writes
    one, is none.

    Problems: an entry is damaged or in a form that COCO has not, or an annotation's image or
    category is not in its file.

    Raises:
        UserError: a file is missing or is not COCO JSON.
    """
    found: list[AnnotatedImage] = []
    names: dict[str, None] = {}
    groups: set[str] = set()
    for path in paths:
        index = read_index(path, findings, folders=True)
        names |= dict.fromkeys(index.categories.values())
        groups |= index.groups
        images = {
            key: AnnotatedImage(
                f"{path}: {item.file_name}",
                f"{path.parent.name}/{item.file_name}",
                item.width,
                item.height,
                part=split_of_file(path),
            )
            for key, item in index.images.items()
        }
        for key, item in stream_arrays(path):
            if key != "annotations":
                continue
            try:
                _add(item, images, index.categories, findings)
            except ODD as error:
                if not index.damaged:
                    findings.add(f"{path}: invalid annotations", [describe(item, error)])
        found += images.values()
    findings.converted += Counter({SHARES: sum(image.shares for image in found)})
    used = {name for image in found for name in image.tags}
    return found, [name for name in names if name in used or name not in groups]


def _add(
    item: Any,
    images: dict[Key, AnnotatedImage],
    categories: dict[Key, str],
    findings: Findings,
) -> None:
    """Add one annotation to its image."""
    image = images.get(as_key(item["image_id"]))
    name = categories.get(as_key(item["category_id"]))
    if image is None or name is None:
        raise OddValueError(f"its {'category' if image else 'image'} is not in the file")
    image.tags.add(name)
    segmentation = item.get("segmentation")
    if segmentation:
        polygons = _polygons(segmentation)
        if polygons:
            segmentation = [image.in_pixels(polygon) for polygon in polygons]
        runs = encode(segmentation, image.height, image.width)
        if runs:
            if item.get("iscrowd"):
                findings.converted[CROWD] += 1
            image.add(name, runs)
            return
        findings.converted[SLIPS] += 1
    if "bbox" in item:
        _add_box(name, item["bbox"], image)
    elif not segmentation:
        raise OddValueError("neither a segmentation nor a box")


def _add_box(name: str, box: Any, image: AnnotatedImage) -> None:
    """Add a box: left, top, width, height."""
    if not isinstance(box, list) or len(box) != 4:
        raise OddValueError("a box that is not four numbers")
    left, top, width, height = map(finite, box)
    left, top, right, bottom = image.in_pixels([left, top, left + width, top + height])
    image.add_box(name, rectangle(left, top, right, bottom))


def _polygons(segmentation: Any) -> list[list[float]]:
    """The polygons of a segmentation, none if it is run lengths.

    Raises:
        OddValueError: it is neither, but something that looks like it.
    """
    if isinstance(segmentation, dict):
        return []
    form = "; COCO writes [[x, y, x, y, ...], ...] or one object of run lengths"
    if not isinstance(segmentation, list):
        raise OddValueError(f"a segmentation that is neither polygons nor run lengths{form}")
    if any(isinstance(part, dict) for part in segmentation):
        raise OddValueError(f"run lengths inside a list{form}")
    if not all(isinstance(part, list) for part in segmentation):
        raise OddValueError(f"corners that are not in a list of polygons{form}")
    if any(isinstance(value, list | dict) for part in segmentation for value in part):
        raise OddValueError(f"corners in lists of their own{form}")
    return [[finite(value) for value in part] for part in segmentation if len(part) >= 6]
