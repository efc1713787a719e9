"""Training images with their tags, warped to one square size, for the networks of DSRG."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.batches.augment import View, image_tensor, random_view, stack_images, warp
from pipeline.batches.image_cache import ImageCache
from pipeline.batches.loading import loader
from pipeline.batches.order import BatchPlan, Item
from pipeline.data.images import read_image, tag_vector
from pipeline.data.manifest import Manifest, Row
from pipeline.data.randomness import rng
from pipeline.data.seeds import UNSEEDED
from pipeline.settings.params import Optimiser


class Tagged(NamedTuple):
    """One image, or a batch of them.

    Attributes:
        ids: its id, or theirs.
        images: bytes (3, side, side), or (B, 3, side, side), channels last.
        tags: booleans (C,) or (B, C).
        seeds: bytes (h, w) or (B, h, w).
    """

    ids: tuple[str, ...]
    images: Tensor
    tags: Tensor
    seeds: Tensor


class TaggedImages(Dataset[Tagged]):
    """Warped images, tags and seeds (all 255 where none are given)."""

    def __init__(
        self,
        manifest: Manifest,
        rows: list[Row],
        side: int,
        seeds_Nhw: NDArray[np.uint8] | None = None,
        view: View | None = None,
    ) -> None:
        """Serve `rows` at side x side; with `view` at random scale and place, else mirrored only.

        Seeds lie on the warped image, so they are served only without `view`.
        """
        self.manifest, self.rows, self.side = manifest, rows, side
        self.seeds, self.view = seeds_Nhw, view
        self.cache = ImageCache()

    def __getitem__(self, item: Item) -> Tagged:
        """One image, in a random view."""
        row = self.rows[item.index]
        image = self.warped(item.index)
        seeds = torch.full((1, 1), UNSEEDED, dtype=torch.uint8)
        if self.seeds is not None:
            seeds = torch.from_numpy(np.array(self.seeds[item.index]))
        if self.view is not None:
            (image,) = random_view(image, view=self.view, generator=rng(*item.key))
        elif rng(*item.key).integers(2):
            image, seeds = image.flip(-1), seeds.flip(-1)
        tags = torch.from_numpy(tag_vector(row.known_tags, len(self.manifest.classes)))
        return Tagged((row.id,), image, tags, seeds)

    def warped(self, index: int) -> Tensor:
        """The image of one row, bytes (3, side, side)."""
        row = self.rows[index]
        path = self.manifest.path(row.image)
        (image,) = self.cache.get(
            index, lambda: (warp(image_tensor(read_image(path, row.size)), self.side),)
        )
        return image

    def batches(
        self, optimiser: Optimiser, seed: int, done: int = 0, workers: int = 0
    ) -> Iterator[Tagged]:
        """Random training batches, the same for the same seed.

        Args:
            optimiser: how many steps, of how many images.
            seed: of order and views.
            done: how many batches are left out at the start.
            workers: processes that decode.
        """
        sizes, steps = [optimiser.batch_size], optimiser.iterations
        plan = BatchPlan([len(self.rows)], sizes, steps, seed, done=done)
        yield from loader(self, plan, workers, collate)


def collate(samples: list[Tagged]) -> Tagged:
    """A batch of single images."""
    ids, images, tags, seeds = zip(*samples, strict=True)
    return Tagged(sum(ids, ()), stack_images(images), torch.stack(tags), torch.stack(seeds))
