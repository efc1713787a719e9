"""Small data sets in the forms users have them: VOC with SBD, COCO, a folder; rendered scenes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from pipeline.data.images import Bytes
from pipeline.datasets.shapes.prepare import CLASS_NAMES, render_scene
from pipeline.report.published import read_table3

SIDE = 48
COUNTS = {"strong": 4, "weak": 8, "val": 3}
NO_CATEGORY = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # numbers COCO leaves out


def scene(number: int) -> tuple[Image.Image, Bytes]:
    """A picture and its mask, (H, W) with classes 0 to 8 and 255; every third is lower."""
    drawn = render_scene(0, number, SIDE)
    height = SIDE - 7 * (number % 3 == 0)
    return Image.fromarray(drawn.image[:height]), drawn.mask[:height]


def numbers() -> dict[str, list[int]]:
    """Which scenes are strong, weak and val."""
    ends = np.cumsum([0, *COUNTS.values()])
    return {name: list(range(ends[i], ends[i + 1])) for i, name in enumerate(COUNTS)}


def save_mask(path: Path, mask_HW: Bytes) -> None:
    """A palette PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask_HW)
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def save_list(path: Path, names: list[str]) -> None:
    """A list file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), "utf-8")


def make_voc(root: Path, *, sbd: bool, test: int = 0) -> None:
    """VOC's devkit, with SBD beside it or with the ready-made trainaug masks in it.

    Args:
        root: gets VOCdevkit/, and SBD/ where that is asked for.
        sbd: whether the weak images' masks are SBD's MATLAB files.
        test: so many test images, with a test.txt and no masks.
    """
    devkit = root / "VOCdevkit" / "VOC2012"
    lists = {
        split: [f"2007_{n:06d}" for n in members]
        for split, members in {**numbers(), "test": range(100, 100 + test)}.items()
    }
    (devkit / "JPEGImages").mkdir(parents=True)
    for split, names in lists.items():
        for name in names:
            picture, mask_HW = scene(int(name[5:]))
            picture.save(devkit / "JPEGImages" / f"{name}.jpg", quality=95)
            if split in ("strong", "val"):
                save_mask(devkit / "SegmentationClass" / f"{name}.png", mask_HW)
            elif split == "weak" and sbd:
                parts = {"Segmentation": np.where(mask_HW == 255, 0, mask_HW)}
                path = root / "SBD" / "cls" / f"{name}.mat"
                path.parent.mkdir(parents=True, exist_ok=True)
                savemat(path, {"GTcls": parts}, do_compression=True)
            elif split == "weak":
                save_mask(devkit / "SegmentationClassAug" / f"{name}.png", mask_HW)
    sets = devkit / "ImageSets" / "Segmentation"
    save_list(sets / "train.txt", lists["strong"])
    save_list(sets / "val.txt", lists["val"])
    if test:
        save_list(sets / "test.txt", lists["test"])
    if sbd:
        save_list(root / "SBD" / "train.txt", lists["weak"][1:])
        save_list(root / "SBD" / "val.txt", lists["weak"][:1] + lists["val"])
    else:
        save_list(sets / "trainaug.txt", lists["strong"] + lists["weak"])


def coco_categories() -> list[dict[str, Any]]:
    """The 80 categories under COCO's own numbers."""
    ids = [n for n in range(1, 91) if n not in NO_CATEGORY]
    names = [row.name for row in read_table3()[1:-1]]
    return [{"id": key, "name": name} for key, name in zip(ids, names, strict=True)]


def run_lengths(region: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    """Lengths of the runs outside, inside, outside, …, column by column."""
    flat = region.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat, prepend=0))
    return [int(n) for n in np.diff([0, *edges, flat.size])]


def segmentation_of(region: np.ndarray[Any, np.dtype[np.bool_]], polygon: bool) -> Any:
    """An object as run lengths, or as the polygon of its box."""
    if not polygon:
        return {"size": list(region.shape), "counts": run_lengths(region)}
    (top, bottom), (left, right) = (
        (int(line.min()), int(line.max()) + 1) for line in np.nonzero(region)
    )
    return [[left, top, right, top, right, bottom, left, bottom]]


def make_coco(root: Path) -> None:
    """train2017/, val2017/ and their instances: polygons in even images, run lengths in odd."""
    members = numbers()
    keys = [category["id"] for category in coco_categories()]
    (root / "annotations").mkdir(parents=True)
    for part, scenes in (
        ("train2017", members["strong"] + members["weak"]),
        ("val2017", members["val"]),
    ):
        (root / part).mkdir()
        images, annotations = [], []
        for number in scenes:
            picture, mask_HW = scene(number)
            name = f"{number:012d}.jpg"
            picture.save(root / part / name, quality=95)
            width, height = picture.size
            images.append({"id": number, "file_name": name, "width": width, "height": height})
            for label in sorted(set(np.unique(mask_HW).tolist()) - {0, 255}):
                region = mask_HW == label
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": keys[10 * label - 1],
                        "segmentation": segmentation_of(region, number % 2 == 0),
                        "iscrowd": 0,
                        "area": float(region.sum()),
                    }
                )
        content = {"images": images, "annotations": annotations, "categories": coco_categories()}
        path = root / "annotations" / f"instances_{part}.json"
        path.write_text(json.dumps(content), "utf-8")


def make_folder(root: Path) -> None:
    """One's own photographs: masks for strong and val, tags for the rest, no splits."""
    members = numbers()
    (root / "images").mkdir(parents=True)
    tags = ["image,tags"]
    for split, scenes in members.items():
        for number in scenes:
            picture, mask_HW = scene(number)
            picture.save(root / "images" / f"scene {number}.jpg", quality=95)
            if split == "weak":
                found = sorted(set(np.unique(mask_HW).tolist()) - {0, 255})
                tags.append(f"scene {number}.jpg,{';'.join(CLASS_NAMES[n] for n in found)}")
            else:
                save_mask(root / "masks" / f"scene {number}.png", mask_HW)
    save_list(root / "tags.csv", tags)
    save_list(root / "classes.txt", list(CLASS_NAMES))
