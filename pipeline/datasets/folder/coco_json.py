"""COCO JSON as annotation tools export it: often without area or iscrowd."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.datasets.folder.annotated_image import AnnotatedImage, rectangle
from pipeline.datasets.reading.coco_instances import describe, encode, finite, read_index
from pipeline.datasets.reading.json_stream import stream_arrays
from pipeline.datasets.reading.problems import Problems


def read_coco(paths: Sequence[Path], problems: Problems) -> tuple[list[AnnotatedImage], list[str]]:
    """The annotated images of one or more files, and the names of the categories.

    An annotation with a segmentation is an outline; one without is a box, and so are crowds. In
    several files, categories with one name are one class.

    Problems: an entry is damaged, or an annotation's image or category is not in its file.

    Raises:
        UserError: a file is missing or is not COCO JSON.
    """
    found: list[AnnotatedImage] = []
    names: dict[str, None] = {}
    for path in paths:
        index = read_index(path, problems, folders=True)
        names |= dict.fromkeys(index.categories.values())
        images = {
            key: AnnotatedImage(
                f"{path}: {item.file_name}", item.file_name, item.width, item.height
            )
            for key, item in index.images.items()
        }
        for key, item in stream_arrays(path):
            if key != "annotations":
                continue
            try:
                _add(item, images, index.categories)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                if not index.damaged:
                    problems.add(f"{path}: invalid annotations", [describe(item, error)])
        found += images.values()
    return found, list(names)


def _add(item: Any, images: dict[int, AnnotatedImage], categories: dict[int, str]) -> None:
    """Add one annotation to its image."""
    image, name = images.get(item["image_id"]), categories.get(item["category_id"])
    if image is None or name is None:
        raise ValueError(f"its {'category' if image else 'image'} is not in the file")
    segmentation = item.get("segmentation")
    if segmentation:
        runs = encode(segmentation, image.height, image.width)
        if runs:
            image.add(name, runs, known=not item.get("iscrowd"))
            return
    if "bbox" not in item:
        raise ValueError("neither a segmentation nor a box")
    if not isinstance(item["bbox"], list) or len(item["bbox"]) != 4:
        raise ValueError("a box that is not four numbers")
    left, top, width, height = map(finite, item["bbox"])
    image.add_box(name, rectangle(left, top, left + width, top + height))
