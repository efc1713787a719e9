"""Supervision loads COCO JSON: PHOTOGRAPHS ANNOTATIONS OUT."""

import json
import sys
from pathlib import Path

import numpy as np
import supervision as sv


def main(photographs: Path, annotations: Path, out: Path) -> None:
    """Painted masks by image, from large to small, and the names of the classes."""
    dataset = sv.DetectionDataset.from_coco(str(photographs), str(annotations), force_masks=True)
    found = {}
    for path, _, detections in dataset:
        order = np.argsort([-mask.sum() for mask in detections.mask])
        painted = np.zeros(detections.mask.shape[1:], np.uint8)
        for place in order:
            painted[detections.mask[place]] = detections.class_id[place] + 1
        found[Path(path).stem] = painted
    np.savez(out, **found)
    out.with_suffix(".json").write_text(json.dumps(list(dataset.classes)))


main(*map(Path, sys.argv[1:]))
