"""Whole val images at their own size through a network, into one confusion matrix.

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.batches.augment import image_tensor, normalise, stack_images
from pipeline.data.images import Bytes, read_image, read_mask, write_mask
from pipeline.data.manifest import ClassList, Manifest, Row
from pipeline.devices.distributed import total_array, world
from pipeline.networks.backbone import Backbone
from pipeline.networks.grid import argmax_at, upsample
from pipeline.runs.resume import walk
from pipeline.scoring.metrics import Counts, confusion_matrix

Through = Callable[[Sequence[list[Row]]], Iterator[list[Row]]]
Refine = Callable[[Tensor, Tensor], Tensor]  # from logits (B, C, H, W) and images to scores


class Segmenter(Protocol):
    """A network that maps normalised images to logits (B, C, h, w) on its backbone's grid."""

    backbone: Backbone

    def __call__(self, images_B3HW: Tensor) -> Any:
        """The logits."""

    def eval(self) -> Any:
        """Switch to inference mode."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its parameters."""


@torch.inference_mode()
def predict_logits(network: Segmenter, images_B3HW: Tensor) -> Tensor:
    """Logits (B, C, H, W) at the images' own size; a dual network's are its strong branch's."""
    device = next(network.parameters()).device
    logits_BChw: Tensor = network(normalise(images_B3HW.to(device)))
    size = (images_B3HW.shape[-2], images_B3HW.shape[-1])
    return upsample(logits_BChw, size, network.backbone.geometry)


def predict_batch(
    network: Segmenter,
    images_B3HW: Tensor,
    sizes: Sequence[tuple[int, int]] | None = None,
    refine: Refine | None = None,
) -> list[Bytes]:
    """Class indices of each image, (H, W).

    Args:
        network: any trained network.
        images_B3HW: bytes.
        sizes: those from which the images were scaled; None: they were not.
        refine: what the logits go through first, if anything.
    """
    scores_BCHW = predict_logits(network, images_B3HW)
    if refine is not None:
        scores_BCHW = refine(scores_BCHW, images_B3HW)
    sizes = sizes or [(images_B3HW.shape[-2], images_B3HW.shape[-1])] * len(images_B3HW)
    pairs = zip(scores_BCHW, sizes, strict=True)
    return [mask_bytes(argmax_at(scores_CHW, size)) for scores_CHW, size in pairs]


def mask_bytes(classes_BHW: Tensor) -> Bytes:
    """Class indices on any device as an array of bytes."""
    masks_BHW: Bytes = classes_BHW.to(torch.uint8).cpu().numpy()
    return masks_BHW


def same_size_batches(rows: list[Row], batch_size: int) -> Iterator[list[Row]]:
    """Rows in the manifest's order; a new batch starts where the size changes or one is full."""
    for _, group in groupby(rows, key=lambda row: (row.width, row.height)):
        part = list(group)
        for first in range(0, len(part), batch_size):
            yield part[first : first + batch_size]


def confusion_of(
    network: Segmenter,
    manifest: Manifest,
    batch_size: int,
    predictions: Path | None = None,
    what: str | None = None,
    resume: Path | None = None,
    seed: int | None = None,
    refine: Refine | None = None,
) -> Counts:
    """Confusion matrix (C, C+1) over val, in inference mode; each process scores its share.

    Args:
        network: any trained network; it is left in eval mode.
        manifest: the data set; the images of `Manifest.scored` are.
        batch_size: images of one size that go through the network together.
        predictions: folder for palette PNGs, or None to write none.
        what: name of the progress bar, or None for no bar.
        resume: folder for the counts so far, from which a stopped run resumes, or None.
        seed: of the training, where there are folds: it is scored on its own. None: on all.
        refine: as in `predict_batch`.
    """
    network.eval()
    classes = len(manifest.classes)
    total = np.zeros((classes, classes + 1), dtype=np.int64)
    through = partial(walk, folder=resume, arrays={"confusion": total}, what=what)
    for rows, images_B3HW, truths in scored_batches(manifest, batch_size, through, seed):
        sizes = [truth_HW.shape for truth_HW in truths]
        masks = predict_batch(network, images_B3HW, sizes, refine)
        # Integers: the order of images and processes does not matter.
        for truth_HW, mask_HW in zip(truths, masks, strict=True):
            total += confusion_matrix(truth_HW, mask_HW, classes)
        if predictions is not None:
            write_masks(rows, masks, manifest.classes, predictions)
    return total_array(total)


def write_masks(rows: list[Row], masks: Sequence[Bytes], classes: ClassList, folder: Path) -> None:
    """Write predictions as `folder`/<id>.png."""
    for row, mask_HW in zip(rows, masks, strict=True):
        write_mask(folder / f"{row.id}.png", mask_HW, classes)


def scored_batches(
    manifest: Manifest, batch_size: int, through: Through, seed: int | None = None
) -> Iterator[tuple[list[Row], Tensor, list[Bytes]]]:
    """This process's share of the images that are scored, with one training seed or in all.

    Arguments as in `image_batches`.

    Yields:
        rows, their images (B, 3, H, W) and the true mask of each at the photograph's own size.
    """
    for rows, images_B3HW in image_batches(manifest, manifest.scored(seed), batch_size, through):
        yield rows, images_B3HW, [read_truth(manifest, row) for row in rows]


def read_truth(manifest: Manifest, row: Row) -> Bytes:
    """The true mask of a scored image (H, W), at the photograph's own size."""
    size = None if row.truth else row.size
    return np.asarray(read_mask(manifest.truth_path(row), len(manifest.classes), size=size))


def image_batches(
    manifest: Manifest, rows: list[Row], batch_size: int, through: Through = iter
) -> Iterator[tuple[list[Row], Tensor]]:
    """This process's share of some images, in batches of one size.

    Args:
        manifest: the data set.
        rows: the images.
        batch_size: images of one size in a batch.
        through: wraps the list of batches, for example with a progress bar that resumes where a
            stopped run was.

    Yields:
        rows, and their images (B, 3, H, W) as bytes.
    """
    for part in through(world().share(list(same_size_batches(rows, batch_size)))):
        images = [image_tensor(read_image(manifest.path(row.image), row.size)) for row in part]
        yield part, stack_images(images)
