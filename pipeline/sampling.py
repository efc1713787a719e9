"""Batches for training: which images, in which order, as a pure function of seed and step."""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pipeline.augment import View, image_tensor, mask_tensor, random_view
from pipeline.device import rng
from pipeline.distributed import world
from pipeline.images import read_image, read_mask
from pipeline.loading import loader

# Image and mask, and where it counts how sure the mask is.
Pair = tuple[Path, Path] | tuple[Path, Path, Path]
SURE = 255  # a mask's confidence in bytes: this is 1


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
    the weak one passes once: the oversampling the paper speaks of. Of several processes each
    gets every so-manieth item of each part; their order and random keys stay those of the whole.
    """

    def __init__(
        self,
        counts: Sequence[int],
        sizes: Sequence[int],
        steps: int,
        seed: int,
        *,
        done: int = 0,
        natural: bool = False,
    ) -> None:
        """Plan `steps` batches with `sizes[i]` items of the stream that has `counts[i]`.

        Args:
            counts: items in each stream.
            sizes: items of each stream in a batch.
            steps: number of batches.
            seed: of the order.
            done: how many batches are left out at the start.
            natural: draw from all streams at once: the sum of `sizes` is the batch, and how many
                of each stream are in it is chance.
        """
        self.counts, self.sizes, self.steps, self.seed = counts, sizes, steps, seed
        self.done, self.natural = done, natural

    def __len__(self) -> int:
        """Number of batches."""
        return self.steps - self.done

    def __iter__(self) -> Iterator[list[Item]]:
        """Yield the batches in order."""
        for step, parts in enumerate(self.pooled() if self.natural else self.shared_equally()):
            if step == self.steps:
                return
            if step >= self.done:
                items = [
                    [
                        Item(stream, index, (self.seed, step, stream, slot))
                        for slot, index in enumerate(part)
                    ]
                    for stream, part in enumerate(parts)
                ]
                yield [item for part in items for item in world().share(part)]

    def shared_equally(self) -> Iterator[list[list[int]]]:
        """Indices of each stream's part, batch after batch without end, as many as `sizes` say."""
        orders = [endless_order(n, self.seed, s) for s, n in enumerate(self.counts)]
        while True:
            yield [
                list(itertools.islice(order, size))
                for order, size in zip(orders, self.sizes, strict=True)
            ]

    def pooled(self) -> Iterator[list[list[int]]]:
        """The same, drawn from one order over the items of all streams."""
        owner = [(stream, i) for stream, count in enumerate(self.counts) for i in range(count)]
        order = endless_order(len(owner), self.seed, 0)
        while True:
            drawn = [owner[i] for i in itertools.islice(order, sum(self.sizes))]
            yield [[i for s, i in drawn if s == stream] for stream in range(len(self.counts))]


class Memory:
    """Decoded images, kept as long as they fit: small data sets are read once."""

    LIMIT = 2**30  # bytes, in each process that decodes

    def __init__(self) -> None:
        """Start empty."""
        self.kept: dict[Hashable, tuple[Tensor, ...]] = {}
        self.room = self.LIMIT

    def get(self, key: Hashable, read: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `read` returns, from memory where it was read before and there was room."""
        if key in self.kept:
            return self.kept[key]
        tensors = read()
        size = sum(tensor.nbytes for tensor in tensors)
        if size <= self.room:
            self.room -= size
            self.kept[key] = tensors
        return tensors


Decoded = tuple[Any, ...]  # image, mask, confidence where it counts; what asked for them


class Batch(NamedTuple):
    """Random views, stream after stream.

    Attributes:
        images: bytes (B, 3, crop, crop), channels last.
        masks: bytes (B, crop, crop), 255 ignored.
        sizes: how many images each stream has among them.
        items: what asked for each.
        sure: bytes (B, crop, crop), the masks' confidence; None where it does not count.
    """

    images: Tensor
    masks: Tensor
    sizes: tuple[int, ...]
    items: tuple[Item, ...]
    sure: Tensor | None


class LabelledImages(Dataset[Decoded]):
    """Decoded images and masks, each with its item."""

    def __init__(self, streams: Sequence[Sequence[Pair]], classes: int) -> None:
        """Serve the pairs of each stream; masks are checked against `classes`.

        Where any mask has a confidence all are served with one, which is 1 for true masks.
        """
        self.streams, self.classes = streams, classes
        self.weighted = any(len(pair) == 3 for stream in streams for pair in stream)
        self.memory = Memory()

    def __getitem__(self, item: Item) -> Decoded:
        """Bytes (3, H, W) and one or two (H, W) as they lie in the files, and the item."""
        pair = self.streams[item.stream][item.index]
        return *self.memory.get(pair, lambda: self.read(pair)), item

    def read(self, pair: Pair) -> tuple[Tensor, ...]:
        """Decode one image, its mask, and the mask's confidence where that counts."""
        labels = read_mask(pair[1], self.classes)
        image, mask = image_tensor(read_image(pair[0], labels.size)), mask_tensor(labels)
        if not self.weighted:
            return image, mask
        sure = mask_tensor(read_mask(pair[2])) if len(pair) == 3 else torch.full_like(mask, SURE)
        return image, mask, sure


@dataclass(frozen=True)
class Views:
    """Collates decoded images of so many streams into a batch of random views, on one device.

    `weighted`: every image comes with its mask's confidence.
    """

    view: View
    streams: int
    device: torch.device
    weighted: bool = False

    def __call__(self, samples: Sequence[Decoded]) -> Batch:
        """Cut a random view of each; image, mask and confidence of one share theirs."""
        size = (len(samples), self.view.crop, self.view.crop)
        images_BHW3 = torch.empty(*size, 3, dtype=torch.uint8, device=self.device)
        images_B3HW = images_BHW3.permute(0, 3, 1, 2)
        rasters = [
            torch.empty(size, dtype=torch.uint8, device=self.device)
            for _ in range(1 + self.weighted)  # masks, confidence
        ]
        for (*decoded, item), *out in zip(samples, images_B3HW, *rasters, strict=True):
            parts = (part.to(self.device, non_blocking=True) for part in decoded)
            random_view(*parts, view=self.view, generator=rng(*item.key), out=tuple(out))
        items = tuple(sample[-1] for sample in samples)
        owners = [item.stream for item in items]
        sizes = tuple(owners.count(s) for s in range(self.streams))
        return Batch(images_B3HW, rasters[0], sizes, items, rasters[1] if self.weighted else None)


def batches(
    streams: Sequence[Sequence[Pair]],
    plan: BatchPlan,
    *,
    view: View,
    classes: int,
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """The batches of a plan, on `device`.

    On a GPU the workers only decode: views are cut on the device, in the order of the batches.

    Raises:
        UserError: a file cannot be read, or a worker was killed.
    """
    images = LabelledImages(streams, classes)
    views = Views(view, len(streams), device, images.weighted)
    if device.type == "cpu":
        yield from loader(images, plan, workers, views)
    else:
        yield from map(views, loader(images, plan, workers, list))
