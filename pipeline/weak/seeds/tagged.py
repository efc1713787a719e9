"""Training images with their tags, warped to one square size, for the networks of DSRG."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.batches.augment import (
    View,
    image_tensor,
    mask_tensor,
    random_view,
    stack_images,
    warp,
)
from pipeline.batches.image_cache import ImageCache
from pipeline.batches.loading import loader
from pipeline.batches.order import BatchPlan, Item
from pipeline.data.images import read_image, read_mask, tag_vector
from pipeline.data.manifest import IGNORE, Manifest, Row
from pipeline.data.randomness import rng
from pipeline.data.seeds import UNSEEDED
from pipeline.networks.grid import Geometry, downsample


class Tagged(NamedTuple):
    """One image, or a batch of them.

    Attributes:
        ids: its id, or theirs.
        images: bytes (3, side, side), or (B, 3, side, side), channels last.
        tags: booleans (C,) or (B, C).
        seeds: bytes (h, w) or (B, h, w).
        truth: of the seeds, where it is known: bytes like them, 255 elsewhere. For measuring only.
    """

    ids: tuple[str, ...]
    images: Tensor
    tags: Tensor
    seeds: Tensor
    truth: Tensor

    def on(self, device: torch.device) -> "Tagged":
        """The batch on a device."""
        ids, *tensors = self
        return Tagged(ids, *(tensor.to(device) for tensor in tensors))


class TaggedImages(Dataset[Tagged]):
    """Warped images, tags and seeds (all 255 where none are given)."""

    def __init__(
        self,
        manifest: Manifest,
        rows: list[Row],
        side: int,
        seeds_Nhw: NDArray[np.uint8] | None = None,
        view: View | None = None,
        truths: Mapping[int, Tensor] | None = None,
    ) -> None:
        """Serve `rows` at side x side; with `view` at random scale and place, else mirrored only.

        Seeds lie on the warped image, so they are served only without `view`, and with them the
        `truths` of some rows, bytes (h, w), by the place of the row.
        """
        self.manifest, self.rows, self.side = manifest, rows, side
        self.seeds, self.view, self.truths = seeds_Nhw, view, truths or {}
        self.cache = ImageCache()

    def __getitem__(self, item: Item) -> Tagged:
        """One image, in a random view."""
        row = self.rows[item.index]
        image = self.warped(item.index)
        seeds = torch.full((1, 1), UNSEEDED, dtype=torch.uint8)
        if self.seeds is not None:
            seeds = torch.from_numpy(np.array(self.seeds[item.index]))
        truth = self.truths.get(item.index, torch.full_like(seeds, IGNORE))
        if self.view is not None:
            (image,) = random_view(image, view=self.view, generator=rng(*item.key))
        elif rng(*item.key).integers(2):
            image, seeds, truth = image.flip(-1), seeds.flip(-1), truth.flip(-1)
        tags = torch.from_numpy(tag_vector(row.known_tags, len(self.manifest.classes)))
        return Tagged((row.id,), image, tags, seeds, truth)

    def warped(self, index: int) -> Tensor:
        """The image of one row, bytes (3, side, side)."""
        row = self.rows[index]
        path = self.manifest.path(row.image)
        (image,) = self.cache.get(
            index, lambda: (warp(image_tensor(read_image(path, row.size)), self.side),)
        )
        return image

    def at_sides(self, indices: Sequence[int], sides: Sequence[int]) -> list[Tensor]:
        """Some rows' images warped to each of several sides: bytes (B, 3, side, side) of each."""
        rows = [self.rows[index] for index in indices]
        images = [image_tensor(read_image(self.manifest.path(r.image), r.size)) for r in rows]
        return [stack_images([warp(image, side) for image in images]) for side in sides]

    def batches(
        self, batch_size: int, steps: int, seed: int, done: int = 0, workers: int = 0
    ) -> Iterator[Tagged]:
        """Random training batches, the same for the same seed.

        Args:
            batch_size: images of a step.
            steps: of the training.
            seed: of order and views.
            done: how many batches are left out at the start.
            workers: processes that decode.
        """
        plan = BatchPlan([len(self.rows)], [batch_size], steps, seed, done=done)
        yield from loader(self, plan, workers, collate)


def collate(samples: list[Tagged]) -> Tagged:
    """A batch of single images."""
    ids, images, *others = zip(*samples, strict=True)
    return Tagged(sum(ids, ()), stack_images(images), *(torch.stack(other) for other in others))


def mask_on_grid(mask: Image.Image, side: int, grid: tuple[int, int], geometry: Geometry) -> Tensor:
    """The class under every grid point of the image warped to `side` x `side`, bytes (h, w)."""
    warped_SS = mask_tensor(mask.resize((side, side), Image.Resampling.NEAREST))
    return downsample(warped_SS[None, None], grid, geometry)[0, 0]


def strong_truths(
    manifest: Manifest, side: int, grid: tuple[int, int], geometry: Geometry
) -> dict[int, Tensor]:
    """Masks of the strong images on the grid, by their place among the tagged rows."""
    classes = len(manifest.classes)
    return {
        place: mask_on_grid(read_mask(manifest.path(row.mask), classes), side, grid, geometry)
        for place, row in enumerate(manifest.tagged())
        if row.split == "strong"
    }
