"""Drawn photographs as COCO JSON: polygons; run lengths for objects with holes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import ClassList
from pipeline.editable.drawn import Drawn, run_lengths
from pipeline.editable.outlines import Region


class CocoWriter:
    """Writes annotations.json."""

    def __init__(self, folder: Path, classes: ClassList) -> None:
        """Write into a folder."""
        self.folder = folder
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        names = enumerate(classes.names[1:], start=1)  # CVAT takes 0 for no category
        self.categories = [{"id": index, "name": name} for index, name in names]

    def add(self, drawn: Drawn) -> None:
        """Take one photograph."""
        width, height = drawn.size
        number = len(self.images) + 1
        image = {"id": number, "file_name": drawn.name, "width": width, "height": height}
        self.images.append(image)
        for region in drawn.outlined.objects:
            h, w = region.pixels_hw.shape
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": number,
                    "category_id": region.label,
                    "segmentation": segmentation(region, (height, width)),
                    "area": int(region.pixels_hw.sum()),
                    "bbox": [region.left, region.top, w, h],
                    "iscrowd": 0,
                }
            )

    def finish(self) -> list[Path]:
        """Write the file."""
        path = self.folder / "annotations.json"
        values = {
            "images": self.images,
            "categories": self.categories,
            "annotations": self.annotations,
        }
        with whole_file(path) as part:
            part.write_text(json.dumps(values, ensure_ascii=False), "utf-8")
        return [path]


def segmentation(region: Region, shape: tuple[int, int]) -> Any:
    """A polygon, which can hold no hole; run lengths of the whole image, by column, if it has one.

    `shape` is the height and width of the image.
    """
    if not region.holes:
        return [region.ring_N2.round(2).ravel().tolist()]
    whole_HW = np.zeros(shape, bool)
    h, w = region.pixels_hw.shape
    whole_HW[region.top : region.top + h, region.left : region.left + w] = region.pixels_hw
    return {"size": list(shape), "counts": run_lengths(whole_HW.ravel(order="F"))}
