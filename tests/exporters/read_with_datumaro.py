"""Datumaro imports a folder, as CVAT does with it: FORMAT FOLDER OUT."""

import json
import sys
from pathlib import Path

import numpy as np
from datumaro.components.annotation import AnnotationType, Mask, Polygon
from datumaro.components.dataset import Dataset
from datumaro.util import mask_tools


def pixels(annotation, height, width):
    """The pixels of a mask or polygon."""
    if isinstance(annotation, Mask):
        return annotation.image.astype(bool)
    return mask_tools.rles_to_mask([list(map(float, annotation.points))], width, height) > 0


def main(form: str, folder: Path, out: Path) -> None:
    """Painted masks by image, from large to small, and the names of the labels."""
    dataset = Dataset.import_from(str(folder), form)
    labels = [label.name for label in dataset.categories()[AnnotationType.label]]
    found = {}
    for item in dataset:
        height, width = item.media.size
        drawn = [a for a in item.annotations if isinstance(a, (Mask, Polygon))]  # no boxes
        parts = [(pixels(a, height, width), a.label) for a in drawn]
        painted = np.zeros((height, width), np.uint8)
        for part, label in sorted(parts, key=lambda part: -part[0].sum()):
            painted[part] = label + 1
        found[item.id] = painted
    np.savez(out, **found)
    out.with_suffix(".json").write_text(json.dumps(labels))


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
