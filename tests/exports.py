"""The folder of tests/trees.py as annotation tools export it: the same masks, pixel by pixel."""

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes
from pipeline.data.manifest import voc_palette
from pipeline.datasets.shapes.prepare import CLASS_NAMES
from tests.label_studio import choices, pack_brush, result, task
from tests.trees import make_folder, run_lengths, scene

IGNORE = "ignore"


def regions(mask_HW: Bytes) -> list[tuple[str, np.ndarray[Any, np.dtype[np.bool_]]]]:
    """Every object of a mask by its class, and what is ignored."""
    found = [int(v) for v in np.unique(mask_HW) if v]
    return [(CLASS_NAMES[v] if v < 255 else IGNORE, mask_HW == v) for v in found]


def masked(root: Path) -> dict[str, Bytes]:
    """The masks of a folder by the stem of their image; masks/ is gone then."""
    numbers = [int(path.stem.split()[1]) for path in sorted((root / "masks").iterdir())]
    shutil.rmtree(root / "masks")
    return {f"scene {number}": scene(number)[1] for number in numbers}


def cropped(region: Any) -> tuple[Bytes, int, int]:
    """A region's own box of pixels, and where it lies: left, top."""
    ys, xs = np.nonzero(region)
    top, left = int(ys.min()), int(xs.min())
    return region[top : ys.max() + 1, left : xs.max() + 1].astype(np.uint8), left, top


def make_colours(root: Path) -> None:
    """RGB masks in VOC's colours, and colours.csv."""
    make_folder(root)
    table = np.zeros((256, 3), np.uint8)
    table[: len(CLASS_NAMES)] = voc_palette(len(CLASS_NAMES))
    table[255] = (255, 255, 255)
    for path in (root / "masks").iterdir():
        Image.fromarray(table[np.array(Image.open(path))]).save(path)
    lines = [f"{name},{','.join(map(str, table[n]))}" for n, name in enumerate(CLASS_NAMES)]
    lines += [f"{IGNORE},255,255,255"]
    (root / "colours.csv").write_text("\n".join(["name,red,green,blue", *lines, ""]), "utf-8")


def make_own_coco(root: Path) -> None:
    """COCO JSON with run lengths, no areas, and file names in a folder."""
    make_folder(root)
    ids = {name: 7 + 2 * n for n, name in enumerate([*CLASS_NAMES[1:], IGNORE])}
    images, annotations = [], []
    for key, (stem, mask_HW) in enumerate(masked(root).items()):
        height, width = mask_HW.shape
        name = f"images\\{stem}.jpg"
        images.append({"id": key, "file_name": name, "width": width, "height": height})
        for label, region in regions(mask_HW):
            outline = {"size": [height, width], "counts": run_lengths(region)}
            entry = {"id": len(annotations), "image_id": key, "category_id": ids[label]}
            annotations.append({**entry, "segmentation": outline})
    categories = [{"id": key, "name": name} for name, key in ids.items()]
    values = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(values), "utf-8")


def make_labelme(root: Path) -> None:
    """LabelMe's files beside the images, with masks for shapes."""
    make_folder(root)
    for stem, mask_HW in masked(root).items():
        shapes = []
        for label, region in regions(mask_HW):
            part_HW, left, top = cropped(region)
            data = io.BytesIO()
            Image.fromarray(part_HW * 255).save(data, "PNG")
            height, width = part_HW.shape
            points = [[left, top], [left + width - 1, top + height - 1]]
            shape = {"label": label, "points": points, "shape_type": "mask", "flags": {}}
            shapes.append({**shape, "mask": base64.b64encode(data.getvalue()).decode()})
        height, width = mask_HW.shape
        size = {"imageHeight": height, "imageWidth": width, "imageData": None}
        values = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "x.jpg", **size}
        (root / "images" / f"{stem}.json").write_text(json.dumps(values), "utf-8")


def make_cvat(root: Path) -> None:
    """CVAT's XML with masks, and tags in place of tags.csv."""
    make_folder(root)
    lines = ["<annotations><version>1.1</version><meta><job><labels>"]
    lines += [f"<label><name>{name}</name></label>" for name in [*CLASS_NAMES[1:], IGNORE]]
    lines += ["</labels></job></meta>"]
    for stem, mask_HW in masked(root).items():
        height, width = mask_HW.shape
        lines.append(f'<image name={quoteattr(stem + ".jpg")} width="{width}" height="{height}">')
        for label, region in regions(mask_HW):
            part_HW, left, top = cropped(region)
            runs = ", ".join(map(str, run_lengths(part_HW.T.astype(bool))))
            box = f'left="{left}" top="{top}" width="{part_HW.shape[1]}" height="{len(part_HW)}"'
            lines.append(f'<mask label="{label}" rle="{runs}" {box} z_order="0"></mask>')
        lines.append("</image>")
    table = (root / "tags.csv").read_text("utf-8").splitlines()[1:]
    (root / "tags.csv").unlink()
    for row in table:
        name, tags = row.split(",")
        lines.append(f'<image name="{name}" width="48" height="48">')
        lines += [f'<tag label="{tag}" source="manual"></tag>' for tag in tags.split(";")]
        lines.append("</image>")
    (root / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]), "utf-8")


def make_label_studio(root: Path) -> None:
    """Label Studio's JSON with brush masks, and choices in place of tags.csv."""
    make_folder(root)
    drawn: dict[str, list[Any]] = {}
    for stem, mask_HW in masked(root).items():
        height, width = mask_HW.shape
        drawn[f"{stem}.jpg"] = [
            result(
                "brushlabels",
                {"format": "rle", "rle": pack_brush(region), "brushlabels": [label]},
                (width, height),
            )
            for label, region in regions(mask_HW)
        ]
    table = (root / "tags.csv").read_text("utf-8").splitlines()[1:]
    (root / "tags.csv").unlink()
    for row in table:
        name, tags = row.split(",")
        drawn[name] = [choices(*tags.split(";"))]
    tasks = [
        {**task(f"/data/local-files/?d=images/{quote(name)}", *results), "id": 100 + key}
        for key, (name, results) in enumerate(drawn.items())
    ]
    (root / "annotations.json").write_text(json.dumps(tasks), "utf-8")


EXPORTS: dict[str, Callable[[Path], None]] = {
    "colours": make_colours,
    "own coco": make_own_coco,
    "labelme": make_labelme,
    "cvat": make_cvat,
    "label studio": make_label_studio,
}
