"""Build `animals6`, a folder data set of photographs, from PASCAL VOC 2012 and SBD's masks.

    python -m docs.results.animals6.data_set path/to/VOCdevkit/VOC2012 animals6
    python -m docs.results.animals6.data_set path/to/VOCdevkit/VOC2012 held-back --held-back 87

Background and the six classes of VOC that photographs of animals fill well: cat, cow, dog, horse,
sheep and person. The other classes' pixels are ignored. Every training image has a mask and tags;
`split.strong` hides the masks. With `--held-back N`, the val images are N of the official training
images and the others are trained on: to make choices on.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.images import write_mask
from pipeline.data.manifest import IGNORE, make_classes

ANIMALS = {"cat": 8, "cow": 10, "dog": 12, "horse": 13, "sheep": 17}  # VOC's indices
CLASSES = {**ANIMALS, "person": 15}
NAMES = make_classes(["background", *CLASSES])

VocFolder = Annotated[Path, typer.Argument(help="With SegmentationClassAug from SBD in it.")]
HeldBack = Annotated[int, typer.Option(help="How many official training images are val instead.")]


def main(voc: VocFolder, out: Path, held_back: HeldBack = 0) -> None:
    """Link the photographs that show an animal; write masks, lists, classes and tags."""
    lists = {
        name: (voc / f"ImageSets/Segmentation/{name}.txt").read_text().split()
        for name in ("train", "trainaug", "val")
    }
    official = {*lists["train"], *lists["val"]}
    for name in ("images", "masks", "splits"):
        (out / name).mkdir(parents=True)
    tags: dict[str, list[str]] = {}
    for image in [*lists["trainaug"], *lists["val"]]:
        folder = "SegmentationClass" if image in official else "SegmentationClassAug"
        voc_HW = np.asarray(Image.open(voc / folder / f"{image}.png"))
        if not np.isin(voc_HW, list(ANIMALS.values())).any():
            continue
        (out / f"images/{image}.jpg").symlink_to((voc / f"JPEGImages/{image}.jpg").resolve())
        write_mask(out / f"masks/{image}.png", of_six(voc_HW), NAMES)
        tags[image] = [name for name, index in CLASSES.items() if (voc_HW == index).any()]
    train = [image for image in lists["trainaug"] if image in tags]
    val = [image for image in lists["val"] if image in tags]
    if held_back:
        masked = [image for image in train if image in official]
        val = sorted(np.random.default_rng(0).choice(masked, held_back, replace=False).tolist())
        train = [image for image in train if image not in set(val)]
    (out / "splits/train.txt").write_text("\n".join(train) + "\n")
    (out / "splits/val.txt").write_text("\n".join(val) + "\n")
    (out / "classes.txt").write_text("\n".join(["background", *CLASSES]) + "\n")
    rows = "".join(f"{image}.jpg,{';'.join(tags[image])}\n" for image in train)
    (out / "tags.csv").write_text(f"image,tags\n{rows}")


def of_six(voc_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A VOC mask with the classes of `CLASSES` from 1 on, others ignored."""
    table = np.full(256, IGNORE, np.uint8)
    table[0] = 0
    table[list(CLASSES.values())] = range(1, len(CLASSES) + 1)
    six_HW: NDArray[np.uint8] = table[voc_HW]
    return six_HW


if __name__ == "__main__":
    typer.run(main)
