"""Training images with their tags, warped to one square size, for the networks of DSRG."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline.augment import View, image_tensor, random_view, warp
from pipeline.device import rng
from pipeline.growing import UNSEEDED
from pipeline.images import read_image, tag_vector
from pipeline.manifest import Manifest, Row
from pipeline.sampling import BatchPlan, Item


class TaggedImages(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Warped images, tags and seeds (all 255 where none are given); small sets stay in memory."""

    CACHE_BYTES = 2**30

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
        self._warped: dict[int, Image.Image] = {}

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor, Tensor]:
        """Bytes (3, side, side), boolean tags (C,), uint8 seeds (h, w)."""
        row = self.rows[item.index]
        image = self.warped(item.index)
        seeds = torch.full((1, 1), UNSEEDED, dtype=torch.uint8)
        if self.seeds is not None:
            seeds = torch.from_numpy(np.array(self.seeds[item.index]))
        if self.view is not None:
            (image,) = random_view(image, view=self.view, generator=rng(*item.key))
        elif rng(*item.key).integers(2):
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            seeds = seeds.flip(-1)
        tags = torch.from_numpy(tag_vector(row.tags, len(self.manifest.classes)))
        return image_tensor(image), tags, seeds

    def warped(self, index: int) -> Image.Image:
        """The image of one row at side x side."""
        if index in self._warped:
            return self._warped[index]
        image = warp(read_image(self.manifest.path(self.rows[index].image)), self.side)
        if (len(self._warped) + 1) * 4 * self.side**2 <= self.CACHE_BYTES:
            self._warped[index] = image
        return image

    def batches(
        self, *, batch_size: int, steps: int, seed: int, workers: int = 0
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Random training batches, the same for the same seed."""
        plan = BatchPlan([len(self.rows)], [batch_size], steps, seed)
        yield from DataLoader(
            self,
            batch_sampler=plan,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
        )
