"""Datumaro's exports, CVAT's among them: FORMAT:KIND SOURCE OUT."""

import json
import sys
from pathlib import Path

import numpy as np
from datumaro.components.annotation import (
    AnnotationType,
    LabelCategories,
    Mask,
    MaskCategories,
    Polygon,
)
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

COLOURS = [(0, 0, 0), (250, 50, 83), (61, 61, 245), (51, 221, 255)]  # CVAT's first ones


def annotations(kind, name, mask, parts, labels):
    """Polygons of the parts, or a mask of each class."""
    if kind != "polygons":
        return [Mask(mask == n, label=int(n)) for n in np.unique(mask) if n]
    return [
        Polygon([x, y, right, y, right, bottom, x, bottom], label=labels.index(label), z_order=z)
        for z, (label, x, y, right, bottom) in enumerate(parts)
    ]


def main(what: str, source: Path, out: Path) -> None:
    """Kinds: polygons, masks; masks with colours in the table, or in two subsets."""
    form, kind = what.split(":")
    values = json.loads((source / "source.json").read_text())
    labels = ["background", *values["classes"]]
    categories = {AnnotationType.label: LabelCategories.from_iterable(labels)}
    if kind == "colours":
        categories[AnnotationType.mask] = MaskCategories(dict(enumerate(COLOURS)))
    masks = dict(np.load(source / "masks.npz"))
    items = [
        DatasetItem(
            path.stem,
            subset=("val" if path.stem == "plain" else "train") if kind == "subsets" else None,
            media=Image.from_file(str(path)),
            annotations=annotations(
                kind, path.stem, masks[path.stem], values["parts"][path.stem], labels
            )
            if path.stem in masks
            else [],
        )
        for path in sorted((source / "photographs").iterdir())
    ]
    Dataset.from_iterable(items, categories=categories).export(str(out), form, save_media=True)


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
