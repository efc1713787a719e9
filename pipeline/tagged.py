"""Training images with their tags, warped to one square size, for the networks of DSRG."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.augment import View, image_tensor, random_view, stack_images, warp
from pipeline.device import rng
from pipeline.growing import UNSEEDED
from pipeline.images import read_image, tag_vector
from pipeline.loading import loader
from pipeline.manifest import Manifest, Row
from pipeline.params import Optimiser
from pipeline.sampling import BatchPlan, Item, Memory

Tagged = tuple[Tensor, Tensor, Tensor]  # image, tags, seeds


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
        self.memory = Memory()

    def __getitem__(self, item: Item) -> Tagged:
        """Bytes (3, side, side), boolean tags (C,), uint8 seeds (h, w)."""
        row = self.rows[item.index]
        image = self.warped(item.index)
        seeds = torch.full((1, 1), UNSEEDED, dtype=torch.uint8)
        if self.seeds is not None:
            seeds = torch.from_numpy(np.array(self.seeds[item.index]))
        if self.view is not None:
            (image,) = random_view(image, view=self.view, generator=rng(*item.key))
        elif rng(*item.key).integers(2):
            image, seeds = image.flip(-1), seeds.flip(-1)
        tags = torch.from_numpy(tag_vector(row.tags, len(self.manifest.classes)))
        return image, tags, seeds

    def warped(self, index: int) -> Tensor:
        """The image of one row, bytes (3, side, side)."""
        row = self.rows[index]
        path = self.manifest.path(row.image)
        (image,) = self.memory.get(
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
        plan = self._plan(optimiser, seed, done, optimiser.iterations)
        yield from loader(self, plan, workers, collate)

    def names_of(self, optimiser: Optimiser, seed: int, step: int) -> list[str]:
        """The ids of this process's images in the batch of a step, counted from 1."""
        (items,) = self._plan(optimiser, seed, step - 1, step)
        return [self.rows[item.index].id for item in items]

    def _plan(self, optimiser: Optimiser, seed: int, first: int, last: int) -> BatchPlan:
        return BatchPlan([len(self.rows)], [optimiser.batch_size], last, seed, done=first)


def collate(samples: list[Tagged]) -> Tagged:
    """A batch of images (B, 3, side, side), channels last, tags (B, C) and seeds (B, h, w)."""
    images, tags, seeds = zip(*samples, strict=True)
    return stack_images(images), torch.stack(tags), torch.stack(seeds)
