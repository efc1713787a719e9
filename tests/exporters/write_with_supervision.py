"""Supervision's COCO JSON and LabelMe files: KIND SOURCE OUT."""

import json
import sys
from pathlib import Path

import numpy as np
import supervision as sv

PARTS = {"holes": "train", "only tagged": "train", "plain": "valid", "two parts.1": "test"}


def detections(mask, crowds):
    """The regions of the classes; a mask with holes or in parts becomes a crowd by itself."""
    found = np.unique(mask[mask > 0]).astype(int)
    if not len(found):
        return sv.Detections.empty()
    masks = np.stack([mask == n for n in found])
    data = {"iscrowd": np.ones(len(found), int)} if crowds else {}
    return sv.Detections(sv.mask_to_xyxy(masks), mask=masks, class_id=found - 1, data=data)


def main(kind: str, source: Path, out: Path) -> None:
    """Kinds: coco, crowds (coco with run lengths only), roboflow (folders as its zip), labelme."""
    classes = json.loads((source / "source.json").read_text())["classes"]
    masks = dict(np.load(source / "masks.npz"))
    photographs = sorted((source / "photographs").iterdir())
    folders = {"": photographs}
    if kind == "roboflow":
        folders = {p: [x for x in photographs if PARTS[x.stem] == p] for p in PARTS.values()}
    for folder, paths in folders.items():
        found = {
            str(path): detections(masks.get(path.stem, np.zeros((1, 1))), kind == "crowds")
            for path in paths
        }
        made = sv.DetectionDataset(classes, list(found), found)
        if kind == "roboflow":
            made.as_coco(str(out / folder), str(out / folder / "_annotations.coco.json"))
        elif kind == "labelme":
            made.as_labelme(str(out / "images"), str(out / "images"))
        else:
            made.as_coco(str(out / "images"), str(out / "annotations.json"))


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
