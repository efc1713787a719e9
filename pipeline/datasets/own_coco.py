"""COCO JSON of one's own, as annotation tools export it: often without area or iscrowd."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.datasets.coco_masks import describe, encode, finite, read_index
from pipeline.datasets.json_stream import stream_arrays
from pipeline.datasets.outlining import Annotated, rectangle
from pipeline.datasets.problems import Problems


def read_coco(paths: Sequence[Path], problems: Problems) -> tuple[list[Annotated], list[str]]:
    """What every image of one or more files is annotated with, and the names of the categories.

    An annotation with a segmentation is an outline; one without is a box, as crowds are, too.
    Where there are several files, categories are one where their names are.

    A problem is: an entry is damaged, or an annotation's image or category is not in its file.

    Raises:
        UserError: a file is missing or not COCO's.
    """
    found: list[Annotated] = []
    names: dict[str, None] = {}
    for path in paths:
        index = read_index(path, problems, folders=True)
        names |= dict.fromkeys(index.categories.values())
        images = {
            key: Annotated(f"{path}: {item.file_name}", item.file_name, item.width, item.height)
            for key, item in index.pictures.items()
        }
        for key, item in stream_arrays(path):
            if key != "annotations":
                continue
            try:
                _add(item, images, index.categories)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                if not index.damaged:
                    problems.add(f"{path}: annotations are not COCO's", [describe(item, error)])
        found += images.values()
    return found, list(names)


def _add(item: Any, images: dict[int, Annotated], categories: dict[int, str]) -> None:
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
        raise ValueError("neither an outline nor a box")
    if not isinstance(item["bbox"], list) or len(item["bbox"]) != 4:
        raise ValueError("a box that is not four numbers")
    left, top, width, height = map(finite, item["bbox"])
    image.add_box(name, rectangle(left, top, left + width, top + height))
