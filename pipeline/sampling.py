"""Batches for training: which images, in which order, as a pure function of seed and step."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pipeline.augment import View, image_tensor, mask_tensor, random_view
from pipeline.device import rng
from pipeline.images import read_image, read_mask

Pair = tuple[Path, Path]  # image, mask


@dataclass(frozen=True)
class Item:
    """One image of one batch: from which stream, which entry, and its own random key."""

    stream: int
    index: int
    key: tuple[int, ...]


def endless_order(count: int, seed: int, stream: int) -> Iterator[int]:
    """Indices 0..count-1 in a new random order each pass, without end."""
    for epoch in itertools.count():
        yield from (int(i) for i in rng(seed, stream, epoch).permutation(count))


class BatchPlan(Sampler[list[Item]]):
    """Every batch of a run: its first part from stream 0, the next from stream 1, ... (§3.3).

    Each stream loops over its own list, so a short strong list is seen again and again while
    the weak one passes once: the oversampling the paper speaks of.
    """

    def __init__(self, counts: Sequence[int], sizes: Sequence[int], steps: int, seed: int) -> None:
        """Plan `steps` batches with `sizes[i]` items of the stream that has `counts[i]`."""
        self.counts, self.sizes, self.steps, self.seed = counts, sizes, steps, seed

    def __len__(self) -> int:
        """Number of batches."""
        return self.steps

    def __iter__(self) -> Iterator[list[Item]]:
        """Yield the batches in order."""
        orders = [endless_order(n, self.seed, s) for s, n in enumerate(self.counts)]
        for step in range(self.steps):
            yield [
                Item(stream, next(orders[stream]), (self.seed, step, stream, slot))
                for stream, size in enumerate(self.sizes)
                for slot in range(size)
            ]


class LabelledImages(Dataset[tuple[Tensor, Tensor]]):
    """Random views of images and masks; small sets stay decoded in memory."""

    CACHE_BYTES = 2**30

    def __init__(self, streams: Sequence[Sequence[Pair]], view: View, classes: int) -> None:
        """Serve the pairs of each stream; masks are checked against `classes`."""
        self.streams, self.view, self.classes = streams, view, classes
        self._decoded: dict[Pair, tuple[Image.Image, Image.Image]] = {}
        self._room = self.CACHE_BYTES

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor]:
        """The view of one item: uint8 (3, crop, crop) and uint8 (crop, crop)."""
        image, mask = self._read(self.streams[item.stream][item.index])
        image, mask = random_view(image, mask, view=self.view, generator=rng(*item.key))
        return image_tensor(image), mask_tensor(mask)

    def _read(self, pair: Pair) -> tuple[Image.Image, Image.Image]:
        if pair in self._decoded:
            return self._decoded[pair]
        decoded = read_image(pair[0]), read_mask(pair[1], self.classes)
        self._room -= 4 * decoded[0].width * decoded[0].height
        if self._room > 0:
            self._decoded[pair] = decoded
        return decoded


def batches(
    streams: Sequence[Sequence[Pair]],
    sizes: Sequence[int],
    *,
    steps: int,
    seed: int,
    view: View,
    classes: int,
    workers: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of bytes, (B, 3, crop, crop) and (B, crop, crop), the streams' parts in order."""
    loader = DataLoader(
        LabelledImages(streams, view, classes),
        batch_sampler=BatchPlan([len(s) for s in streams], sizes, steps, seed),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
    yield from loader
