"""COCO 2017: a random part of train2017 is strong, the rest weak; val2017 is for validation."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import tags_of_mask
from pipeline.data.manifest import ROOT, ClassList, Row, make_classes
from pipeline.datasets.reading.archives import Archive, obtain
from pipeline.datasets.reading.coco_instances import (
    CocoIndex,
    Instance,
    Key,
    in_order,
    rasterise,
    read_index,
    read_instances,
)
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import check_names
from pipeline.datasets.reading.manifest_rows import IMAGES, Inspected, inspect_image, need_splits
from pipeline.datasets.reading.resumable_masks import ResumableMasks, resumable_masks
from pipeline.settings.params import Params

TRAIN, VAL = "train2017", "val2017"


def _urls(path: str) -> tuple[str, ...]:
    """COCO's own address and its mirror."""
    host = "images.cocodataset.org"
    return (f"http://{host}/{path}", f"https://s3.amazonaws.com/{host}/{path}")


ARCHIVES = {
    TRAIN: Archive(_urls("zips/train2017.zip"), "cced6f7f71b7629ddf16f17bbcfab6b2", TRAIN),
    VAL: Archive(_urls("zips/val2017.zip"), "442b8da7639aecaf257c1dceb8ba8c80", VAL),
    "annotations": Archive(
        _urls("annotations/annotations_trainval2017.zip"),
        "f4bbac642086de4f52a3fdda2de5fa2c",
        "annotations",
    ),
}


def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
    """Manifest rows of COCO 2017 under `data_root`, downloaded if it is missing.

    The instances become semantic masks in `folder/masks` by the rules of `rasterise`, one image
    after the other; a stage that was stopped resumes after the last. Tags are the classes with a
    pixel in the mask: crowds, and objects covered by smaller ones, give none. Images without
    annotations stay in, with masks of background only.

    Args:
        folder: the data set's folder.
        data_root: contains train2017/, val2017/ and annotations/.
        params: `download.coco.strong` images are drawn with `seed` from the sorted image ids.

    Raises:
        UserError: a download fails, files are missing or damaged, or no images would be weak.
    """
    _obtain_missing(data_root)
    findings = Findings()
    parts = {part: read_index(annotations_path(data_root, part), findings) for part in (TRAIN, VAL)}
    train, val = parts[TRAIN], parts[VAL]
    if train.categories != val.categories and not findings:
        files = [annotations_path(data_root, part).name for part in parts]
        findings.add(f"{data_root / 'annotations'}: categories differ between", files)
    names = [Path(p.file_name).stem for index in parts.values() for p in index.images.values()]
    check_names(names, data_root / "annotations", findings)
    try:
        class_list(train)
    except UserError as error:
        findings.add(
            f"{annotations_path(data_root, TRAIN)}: categories cannot be used as classes", [error]
        )
    strong: set[Key] = set()
    if not findings:
        with findings.gathered():
            strong = draw_strong(train.images, params.download.coco.strong, params.seed)
    seen = {part: _inspect_all(data_root / part, index, findings) for part, index in parts.items()}
    instances = {
        part: read_instances(annotations_path(data_root, part), index, findings)
        for part, index in parts.items()
    }
    findings.refuse(data_root)
    splits = {key: "strong" if key in strong else "weak" for key in train.images}
    rows, classes = [], class_list(train)
    annotations = [annotations_path(data_root, part) for part in parts]
    with resumable_masks(folder, classes, annotations, "pycocotools") as masks:
        for part, index in parts.items():
            of_part = splits if part == TRAIN else dict.fromkeys(index.images, "val")
            rows += _make_rows(part, index, of_part, instances.pop(part), seen.pop(part), masks)
        need_splits(rows)
    return rows, classes


def annotations_path(data_root: Path, part: str) -> Path:
    """The instances file of train2017 or val2017."""
    return data_root / "annotations" / f"instances_{part}.json"


def class_list(index: CocoIndex) -> ClassList:
    """Background and the categories, in the order of their ids."""
    return make_classes(["background", *index.categories.values()])


def draw_strong(ids: Collection[Key], count: int, seed: int) -> set[Key]:
    """Draw the training images that keep their masks; the order of `ids` does not matter.

    Raises:
        UserError: no images would be weak.
    """
    if count >= len(ids):
        raise UserError(
            f"download.coco.strong: {count} of {len(ids)} training images leave no weak ones"
        )
    ordered = in_order(ids)
    chosen = np.random.default_rng(seed).choice(len(ordered), size=count, replace=False)
    return {ordered[place] for place in chosen}


def _obtain_missing(data_root: Path) -> None:
    """Download the archives whose files are missing."""
    needed = {annotations_path(data_root, part).name for part in (TRAIN, VAL)}
    if not all((data_root / "annotations" / name).exists() for name in needed):
        folder = data_root / "annotations"
        obtain(ARCHIVES["annotations"], folder, data_root, lambda name: name in needed)
    for part in (VAL, TRAIN):  # the small one first: errors show sooner
        if not (data_root / part).is_dir():
            obtain(ARCHIVES[part], data_root / part, data_root)


def _inspect_all(folder: Path, index: CocoIndex, findings: Findings) -> dict[Key, Inspected]:
    """Compare all images with their annotated sizes, before masks are made for hours."""
    seen = {}
    for key, image in track(index.images.items(), f"check {folder.name}", len(index.images)):
        path = folder / image.file_name
        try:
            seen[key] = inspect_image(path)
        except UserError as error:
            findings.say(IMAGES, error)
            continue
        width, height = seen[key].size
        if (width, height) != (image.width, image.height):
            findings.say(
                IMAGES,
                f"{path} is {width}x{height} pixels, but {image.width}x{image.height} in its "
                "annotations",
            )
    return seen


def _make_rows(
    part: str,
    index: CocoIndex,
    splits: dict[Key, str],
    instances: dict[Key, list[Instance]],
    seen: dict[Key, Inspected],
    masks: ResumableMasks,
) -> list[Row]:
    """Make the masks of one part and describe its images, in the order of their ids."""
    rows = []
    for key in track(in_order(index.images), f"masks of {part}"):
        image = index.images[key]
        name, size = Path(image.file_name).stem, (image.width, image.height)
        paint = partial(rasterise, instances.get(key, ()), image.height, image.width)
        mask_HW, data = masks.make(name, paint)
        found = seen.pop(key)
        found.digest.update(data)
        files = name, f"{ROOT}{part}/{image.file_name}", f"masks/{name}.png"
        tags, md5 = tags_of_mask(mask_HW), found.digest.hexdigest()
        rows.append(Row(*files, splits[key], tags, *size, md5, care=found.care))
    return rows
