"""LabelMe's files beside the photographs: KIND SOURCE OUT."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from labelme import LabelFile
from labelme._shape import Shape
from labelme.app import _shape_to_dict
from PyQt5.QtCore import QPointF


def shape(label, points, mask=None):
    """What is drawn, as the window has it, written as it saves it."""
    made = Shape(label, shape_type="polygon" if mask is None else "mask", flags={}, mask=mask)
    for x, y in points:
        made.add_point(QPointF(x, y))
    return _shape_to_dict(made)


def polygon(label, left, top, right, bottom):
    """A rectangle by its corners; LabelMe has its own name for the background."""
    name = {"background": "_background_"}.get(label, label)
    return shape(name, [(left, top), (right, top), (right, bottom), (left, bottom)])


def bitmap(label, region):
    """The box around a region, its last row and column included."""
    ys, xs = np.nonzero(region)
    (left, right), (top, bottom) = (xs.min(), xs.max()), (ys.min(), ys.max())
    return shape(label, [(left, top), (right, bottom)], region[top : bottom + 1, left : right + 1])


def main(kind: str, source: Path, out: Path) -> None:
    """Kinds: polygons, masks."""
    values = json.loads((source / "source.json").read_text())
    shutil.copytree(source / "photographs", out / "images")
    for name, mask in np.load(source / "masks.npz").items():
        if kind == "polygons":
            shapes = [polygon(*part) for part in values["parts"][name]]
        else:
            shapes = [bitmap(values["classes"][n - 1], mask == n) for n in np.unique(mask)[1:]]
        photograph = out / "images" / f"{name}.jpg"
        LabelFile().save(
            str(photograph.with_suffix(".json")),
            shapes=shapes,
            image_path=photograph.name,
            image_height=mask.shape[0],
            image_width=mask.shape[1],
            image_data=LabelFile.load_image_file(str(photograph)),
        )


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
