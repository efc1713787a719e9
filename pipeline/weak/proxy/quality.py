"""How good seeds, CAM masks and proxy masks are, wherever a true mask exists.

These are scores on training images. They show how the weak labels are wrong; they do not predict
what a network trained on them reaches on val.
Shape legend: C classes, H W image, S S warped image, h w grid.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.base.atomic import whole_file
from pipeline.batches.augment import normalise
from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import proxy_path
from pipeline.data.seeds import read_seeds
from pipeline.data.tables import write_csv
from pipeline.devices.device import pick_device
from pipeline.devices.distributed import total_array, world
from pipeline.networks.grid import upsample
from pipeline.runs.resume import walk
from pipeline.scoring.metrics import (
    Counts,
    PerClass,
    class_accuracy,
    class_iou,
    confusion_matrix,
    image_iou,
)
from pipeline.scoring.score import mask_bytes
from pipeline.settings.params import Params
from pipeline.weak.seeds.cam import (
    CamNet,
    activation_maps,
    cam_mask,
    cam_sides,
    load_classifier,
)
from pipeline.weak.seeds.tagged import TaggedImages, mask_on_grid

KINDS = ("seed", "strong", "cam", "proxy")  # strong: seeds of strong images alone
PER_IMAGE = ["id", "proxy_iou"]


def measure(
    params: Params,
    manifest: Manifest,
    folder: Path,
    seeds: Path | None = None,
    resume: Path | None = None,
    taught: Sequence[str] = (),
) -> dict[str, float]:
    """Write quality.json, quality.csv and images.csv into `folder`; each process its share.

    Args:
        params: all of params.yaml.
        manifest: the data set; strong and weak images that have a true mask are measured. Pixels
            that a proxy ignores count as wrong, as pixels without a seed do.
        folder: data/proxy/<generator>, with masks/ in it.
        seeds: data/seeds, where the generator starts from them.
        resume: folder for the counts so far, from which a stopped run resumes, or None.
        taught: ids of images to leave out: the generator was trained on their masks.

    Returns:
        number of images measured, then percentages: mean seed precision, share of grid points
        seeded, mIoU of the plain CAM masks and of the proxies, the last alone without `seeds`, and
        the first two of strong images alone (masks of different makers differ at the border); only
        `images` (0) where no image has a true mask.
    """
    # Images in folds have no seeds: the classifier has not seen them.
    seeds = None if manifest.fold_sizes else seeds
    rows = manifest.train() if seeds is None else manifest.tagged()
    masked = {row.id for row in rows if row.mask} - {*taught}
    known = [i for i, r in enumerate(rows) if r.id in masked and proxy_path(r.id, folder).exists()]
    if seeds is None:
        totals, iou_N = count_proxies(manifest, known, folder, resume)
    else:
        totals, iou_N = count(params, manifest, known, folder, seeds, resume)
    summary: dict[str, float] = {"images": len(known)}
    if known:
        summary |= _summary(totals)
    if world().leads:
        measures = [name for name in MEASURES if name.split("_")[0] in totals]
        rows_C = _per_class(manifest, totals, measures) if known else []
        write_csv(folder / "quality.csv", ["class", *measures], rows_C)
        images = ([rows[i].id, f"{iou_N[i]:.2f}"] for i in known)
        write_csv(folder / "images.csv", PER_IMAGE, images)
        _write_summary(folder, summary)
    return summary


def count_proxies(
    manifest: Manifest, known: list[int], folder: Path, resume: Path | None
) -> tuple[dict[str, Counts], NDArray[np.float64]]:
    """Confusion matrix (C, C+1) of the proxies alone, and each proxy's IoU (N,)."""
    rows, classes = manifest.train(), len(manifest.classes)
    counts, iou_N = np.zeros((classes, classes + 1), dtype=np.int64), np.zeros(len(rows))
    arrays = {"proxy": counts, "iou": iou_N}
    for i in walk(world().share(known), resume, arrays, "proxy: measure"):
        true_HW = np.asarray(read_mask(manifest.path(rows[i].mask), classes))
        proxy_HW = np.asarray(read_mask(proxy_path(rows[i].id, folder), classes))
        counts += confusion_matrix(true_HW, proxy_HW, classes)
        iou_N[i] = image_iou(true_HW, proxy_HW, classes)
    return {"proxy": total_array(counts)}, total_array(iou_N)


def count(
    params: Params,
    manifest: Manifest,
    known: list[int],
    folder: Path,
    seeds: Path,
    resume: Path | None,
) -> tuple[dict[str, Counts], NDArray[np.float64]]:
    """Confusion matrices (C, C+1) of each of `KINDS`, and each proxy's IoU (N,)."""
    rows, classes = manifest.tagged(), len(manifest.classes)
    arrays = {kind: np.zeros((classes, classes + 1), dtype=np.int64) for kind in KINDS}
    iou_N = np.zeros(len(rows))
    seeds_Nhw, network = read_seeds(seeds, manifest), load_classifier(params, classes, seeds)
    side, grid = params.cam.image_size, seeds_Nhw.shape[1:]
    through = partial(walk, folder=resume, arrays={**arrays, "iou": iou_N}, what="proxy: measure")
    for part in _cam_maps(params, manifest, network, known, through):
        for i, maps_Chw in part:
            truth = read_mask(manifest.path(rows[i].mask), classes)
            proxy = read_mask(proxy_path(rows[i].id, folder), classes)
            whole_CHW = upsample_map(maps_Chw, truth, params, network)
            cam_HW = cam_mask(whole_CHW, rows[i].known_tags, params.cam.foreground)
            true_HW, seeds_hw = np.asarray(truth), torch.from_numpy(np.array(seeds_Nhw[i]))
            true_hw = mask_on_grid(truth, side, grid, network.backbone.geometry)
            pairs = {
                "seed": (true_hw.numpy(), seeds_hw.numpy()),
                "cam": (true_HW, mask_bytes(cam_HW)),
                "proxy": (true_HW, np.asarray(proxy)),
            }
            if rows[i].split == "strong":
                pairs["strong"] = pairs["seed"]
            for kind, (true, given) in pairs.items():
                arrays[kind] += confusion_matrix(true, given, classes)
            iou_N[i] = image_iou(*pairs["proxy"], classes)
    return {kind: total_array(counts) for kind, counts in arrays.items()}, total_array(iou_N)


def _write_summary(folder: Path, summary: dict[str, float]) -> None:
    with whole_file(folder / "quality.json") as part:
        part.write_text(json.dumps(summary, indent=2) + "\n", "utf-8", newline="\n")


def upsample_map(maps_Chw: Tensor, truth: Image.Image, params: Params, network: CamNet) -> Tensor:
    """Activation maps of a warped image laid on the image's own size, (C-1, H, W)."""
    side = params.cam.image_size
    square_1CSS = upsample(maps_Chw[None], (side, side), network.backbone.geometry)
    size = (truth.height, truth.width)
    return torch.nn.functional.interpolate(square_1CSS, size=size, mode="bilinear")[0]


def _cam_maps(
    params: Params,
    manifest: Manifest,
    network: CamNet,
    known: list[int],
    through: Callable[[Sequence[int]], Iterator[int]],
) -> Iterator[list[tuple[int, Tensor]]]:
    """Index and class activation maps (C-1, h, w) of this process's known images, in batches."""
    cam, device = params.cam, pick_device()
    size = cam.optimiser.batch_size
    network = network.to(device).eval()
    images = TaggedImages(manifest, manifest.tagged(), cam.image_size)
    for first in through(world().share(range(0, len(known), size))):
        part = known[first : first + size]
        batches = [normalise(b.to(device)) for b in images.at_sides(part, cam_sides(cam))]
        maps_BChw = activation_maps(network, batches, cam.image_size, flip=cam.flip)
        yield list(zip(part, maps_BChw, strict=True))


def seed_precision(confusion: Counts) -> PerClass:
    """Share of each class's seeds that lie on it, in percent; NaN where it has no seed."""
    classes = len(confusion)
    hits = np.diagonal(confusion).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision: PerClass = 100.0 * hits / confusion[:, :classes].sum(axis=0)
    return precision


def _summary(totals: dict[str, Counts]) -> dict[str, float]:
    values = {"proxy_miou": float(np.nanmean(class_iou(totals["proxy"])))}
    if "seed" in totals:
        cam = {"cam_miou": float(np.nanmean(class_iou(totals["cam"])))}
        values = {**_seed_summary(totals, "seed"), **cam, **values}
        if totals["strong"].any():
            values |= _seed_summary(totals, "strong")
    return {key: round(value, 2) for key, value in values.items()}


def _seed_summary(totals: dict[str, Counts], kind: str) -> dict[str, float]:
    counts = totals[kind]
    return {
        f"{kind}_precision": float(np.nanmean(seed_precision(counts))),
        f"{kind}_coverage": 100.0 * counts[:, : len(counts)].sum() / max(1, counts.sum()),
    }


def _per_class(
    manifest: Manifest, totals: dict[str, Counts], measures: Sequence[str]
) -> list[list[str]]:
    """Rows of quality.csv: each class's value of some of `MEASURES`."""
    columns = [MEASURES[name](totals[name.split("_")[0]]) for name in measures]
    return [
        [name, *("" if np.isnan(column[i]) else f"{column[i]:.2f}" for column in columns)]
        for i, name in enumerate(manifest.classes.names)
    ]


# By class, from the confusion matrix of the kind that the name begins with.
MEASURES: dict[str, Callable[[Counts], PerClass]] = {
    "seed_precision": seed_precision,
    "seed_coverage": class_accuracy,
    "strong_precision": seed_precision,
    "strong_coverage": class_accuracy,
    "cam_iou": class_iou,
    "proxy_iou": class_iou,
}
