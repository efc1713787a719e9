"""COCO JSON with the compressed run lengths of pycocotools: KIND SOURCE OUT."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask as rle


def main(kind: str, source: Path, out: Path) -> None:
    """The only kind is encode."""
    values = json.loads((source / "source.json").read_text())
    shutil.copytree(source / "photographs", out / "images")
    images, annotations = [], []
    for key, (name, mask) in enumerate(np.load(source / "masks.npz").items(), start=1):
        height, width = mask.shape
        images.append({"id": key, "file_name": f"{name}.jpg", "width": width, "height": height})
        for n in np.unique(mask)[1:].tolist():
            runs = rle.encode(np.asfortranarray(mask == n))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": key,
                    "category_id": n,
                    "segmentation": {"size": runs["size"], "counts": runs["counts"].decode()},
                    "area": int(rle.area(runs)),
                    "bbox": rle.toBbox(runs).tolist(),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": n, "name": name} for n, name in enumerate(values["classes"], start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (out / "annotations.json").write_text(json.dumps(content))


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
