"""Small folders as people and their tools write them, for the tests beside this.

Every folder has three photographs of 8 x 8 pixels; in a and b a leaf lies at the top left, and a
stone at the bottom right; c has tags only.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.check.survey import Survey, survey
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import Manifest, read_manifest
from pipeline.datasets.folder.divide import Choice
from pipeline.datasets.reading.download import download
from tests.settings import small_params
from tests.sixteen import png16, tiff

Make = Callable[[Path], object]
LEAF, STONE = [0, 0, 4, 0, 4, 4, 0, 4], [4, 4, 8, 4, 8, 8, 4, 8]
WANTED = np.zeros((8, 8), np.uint8)
WANTED[:4, :4], WANTED[4:, 4:] = 1, 2
RUNS = {"size": [8, 8], "counts": [0, 4, 4, 4, 4, 4, 4, 4, 36]}  # of the leaf
TAGS = "image,tags\nc.png,leaf;stone\n"
COLOURS = np.uint8([(0, 0, 0), (255, 0, 0), (0, 0, 255)])


def photographs(folder: Path, names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8), (90, 90, 90)).save(folder / f"{name}.png")


def put(root: Path, name: str, content: Any) -> None:
    """A file of text, or of JSON."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def masks(root: Path, array: Any = WANTED, name: str = "{}.png", **options: Any) -> None:
    """Masks of a and b, and the list of their classes."""
    (root / "masks").mkdir(exist_ok=True)
    for stem in "ab":
        Image.fromarray(array).save(root / "masks" / name.format(stem), **options)
    if not (root / "classes.txt").exists():
        put(root, "classes.txt", "background\nleaf\nstone\n")


def write_sixteen(path: Path, values_HWC: Any) -> None:
    """A photograph of 16 bits."""
    path.write_bytes(png16(values_HWC) if path.suffix == ".png" else tiff(values_HWC))


def coco(
    leaf: Any = None, stone: Any = None, names: Any = ("leaf", "stone"), more: Any = (), **keys: Any
) -> dict[str, Any]:
    """COCO JSON of a and b; `leaf` and `stone` change their annotations."""
    shapes = {1: ([LEAF], [0, 0, 4, 4], leaf), 2: ([STONE], [4, 4, 4, 4], stone)}
    annotations = [
        {"id": 10 * image + key, "image_id": image, "category_id": key}
        | {"segmentation": outline, "bbox": box, "iscrowd": 0}
        | (change or {})
        for image in (1, 2)
        for key, (outline, box, change) in shapes.items()
    ]
    images = [
        {"id": 1 + n, "file_name": f"{k}.png", "width": 8, "height": 8} for n, k in enumerate("ab")
    ]
    categories = [{"id": 1 + n, "name": name} for n, name in enumerate(names)]
    values = {"images": images, "categories": categories, "annotations": [*annotations, *more]}
    return values | keys


def read(root: Path, **params: Any) -> Manifest:
    """The data set as stage download leaves it."""
    out = root.parent / "out"
    download(small_params(**{"dataset": "folder", "data_root": str(root), **params}), out)
    return read_manifest(out, root)


def drawn(manifest: Manifest) -> dict[str, Bytes]:
    """The masks by id, with 0 background, 1 leaf, 2 stone, whatever the order of the classes."""
    order = [("background", "leaf", "stone").index(name) for name in manifest.classes.names]
    table = np.full(256, 255, np.uint8)
    table[: len(order)] = order
    rows = [row for row in manifest.rows if row.mask]
    return {row.id: table[np.array(read_mask(manifest.path(row.mask)))] for row in rows}


def tags(manifest: Manifest) -> dict[str, set[str] | None]:
    """Names of the classes in each image; None where they are not known."""
    names = manifest.classes.names
    return {
        row.id: None if row.tags is None else {names[tag] for tag in row.tags}
        for row in manifest.rows
    }


def is_right(root: Path, wanted: Any = WANTED) -> Manifest:
    """Read a folder in which nothing may be lost."""
    manifest = read(root)
    found = drawn(manifest)
    assert set(found) == {"a", "b"}
    for mask_HW in found.values():
        assert np.array_equal(mask_HW, wanted)
    assert tags(manifest) == {key: {"leaf", "stone"} for key in "abc"}
    return manifest


def looked_over(root: Path) -> Survey:
    made = root.parent / "made"
    made.mkdir()
    return survey(root, Choice(0.2, 0), made)
