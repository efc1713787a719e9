"""Label Studio's exports, with the photographs as it stores them: FORMAT:KIND SOURCE OUT."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from label_studio_sdk.converter import Converter, brush
from label_studio_sdk.converter.imports.coco import create_segmentation
from PIL import Image


def brushed(mask, classes, folder):
    """A brush region of each class."""
    regions = []
    for n in np.unique(mask)[1:]:
        Image.fromarray(np.where(mask == n, 255, 0).astype(np.uint8)).save(folder / "region.png")
        made = brush.image2annotation(folder / "region.png", classes[n - 1], "tag", "image")
        regions += made["result"]
    return regions


def drawn(mask, parts):
    """A polygon of each part."""
    height, width = mask.shape
    return [
        create_segmentation(0, corners, [label], "tag", height, width, "image")
        for label, x, y, right, bottom in parts
        for corners in [[x, y, right, y, right, bottom, x, bottom]]
    ]


def main(what: str, source: Path, out: Path) -> None:
    """Kinds: brush, polygons."""
    form, kind = what.split(":")
    values = json.loads((source / "source.json").read_text())
    masks = dict(np.load(source / "masks.npz"))
    project = Path(tempfile.mkdtemp(dir=source))
    uploads = project / "upload" / "1"
    uploads.mkdir(parents=True)
    tasks = []
    for key, path in enumerate(sorted((source / "photographs").iterdir()), start=1):
        stored = f"{key:08x}-{path.name.replace(' ', '_')}"  # what the server makes of a name
        shutil.copy(path, uploads / stored)
        task = {"id": key, "data": {"image": f"/data/upload/1/{stored}"}, "annotations": []}
        if path.stem in masks:
            mask, parts = masks[path.stem], values["parts"][path.stem]
            regions = (
                brushed(mask, values["classes"], project) if kind == "brush" else drawn(mask, parts)
            )
            task["annotations"] += [{"id": key, "completed_by": 1, "result": regions}]
        tasks.append(task)
    (project / "tasks.json").write_text(json.dumps(tasks))
    tag = "BrushLabels" if kind == "brush" else "PolygonLabels"
    labels = "".join(f'<Label value="{name}"/>' for name in ["background", *values["classes"]])
    image = '<Image name="image" value="$image"/>'
    config = f'<View>{image}<{tag} name="tag" toName="image">{labels}</{tag}></View>'
    converter = Converter(config, str(project), upload_dir=str(project / "upload"))
    out.mkdir()
    converter.convert(str(project / "tasks.json"), str(out), form, is_dir=False)
    shutil.copytree(uploads, out / "images", dirs_exist_ok=True)


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
