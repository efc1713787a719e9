"""The embedded data set `shapes` as files: scenes rendered into the manifest's own folder."""

from pathlib import Path

from PIL import Image

from pipeline.datasets.shapes import CLASS_NAMES, render_scene
from pipeline.images import tags_of_mask, write_mask
from pipeline.manifest import ClassList, Row, make_classes
from pipeline.params import Params
from pipeline.progress import track


def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
    """Render all scenes into `folder`/images and `folder`/masks.

    Every scene has its true mask, so that proxies can be measured; which masks a network may
    see is decided by stage split.

    Args:
        folder: the data set's folder.
        data_root: not used; nothing is downloaded.
        params: `download.shapes` and `seed`.
    """
    counts = params.download.shapes
    classes = make_classes(CLASS_NAMES)
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    splits = ["strong"] * counts.strong + ["weak"] * counts.weak + ["val"] * counts.val
    rows = []
    for index, split in enumerate(track(splits, "download: render")):
        scene = render_scene(params.seed, index, counts.size)
        name = f"{index:05d}"
        image, mask = f"images/{name}.png", f"masks/{name}.png"
        Image.fromarray(scene.image).save(folder / image)
        write_mask(folder / mask, scene.mask, classes)
        tags = tags_of_mask(scene.mask)
        rows.append(Row(name, image, mask, split, tags, counts.size, counts.size))
    return rows, classes
