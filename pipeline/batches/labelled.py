"""Images with masks as batches of random views (§3.3, §4.1).

Shape legend: B batch, H W image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.batches.augment import View, image_tensor, mask_tensor, random_view
from pipeline.batches.image_cache import ImageCache
from pipeline.batches.loading import loader
from pipeline.batches.order import BatchPlan, Item
from pipeline.data.images import read_image, read_mask
from pipeline.data.pairs import Pair
from pipeline.data.randomness import rng
from pipeline.devices.device import layout, without_mps

SURE = 255  # a mask's confidence in bytes: this is 1


class Labelled(NamedTuple):
    """One decoded image with its mask, and the mask's confidence where that counts."""

    item: Item
    id: str
    tensors: tuple[Tensor, ...]  # bytes: (3, H, W), (H, W), and another (H, W)


class Batch(NamedTuple):
    """Random views, stream after stream.

    Attributes:
        ids: of the images.
        images: bytes (B, 3, crop, crop), channels last.
        masks: bytes (B, crop, crop), 255 ignored.
        sizes: how many images each stream has among them.
        items: what asked for each.
        sure: bytes (B, crop, crop), the masks' confidence; None where it does not count.
    """

    ids: tuple[str, ...]
    images: Tensor
    masks: Tensor
    sizes: tuple[int, ...]
    items: tuple[Item, ...]
    sure: Tensor | None

    def on(self, device: torch.device) -> "Batch":
        """The batch on a device; what is there already is not copied."""
        return self._replace(
            images=self.images.to(device, memory_format=layout(device)),
            masks=self.masks.to(device),
            sure=None if self.sure is None else self.sure.to(device),
        )


class LabelledImages(Dataset[Labelled]):
    """Decoded images and masks, by item."""

    def __init__(self, streams: Sequence[Sequence[Pair]], classes: int) -> None:
        """Serve the pairs of each stream; masks are checked against `classes`.

        Where any mask has a confidence all are served with one, which is 1 for true masks.
        """
        self.streams, self.classes = streams, classes
        self.weighted = any(pair.confidence for stream in streams for pair in stream)
        self.cache = ImageCache()

    def __getitem__(self, item: Item) -> Labelled:
        """Image and mask as the files have them."""
        pair = self.streams[item.stream][item.index]
        return Labelled(item, pair.id, self.cache.get(pair, lambda: self.read(pair)))

    def read(self, pair: Pair) -> tuple[Tensor, ...]:
        """Decode one image, its mask, and the mask's confidence where that counts."""
        labels = read_mask(pair.mask, self.classes)
        image, mask = image_tensor(read_image(pair.image, labels.size)), mask_tensor(labels)
        if not self.weighted:
            return image, mask
        if pair.confidence is None:
            return image, mask, torch.full_like(mask, SURE)
        return image, mask, mask_tensor(read_mask(pair.confidence))


@dataclass(frozen=True)
class Views:
    """Makes a batch of random views of decoded images, on one device.

    Attributes:
        view: side and scales.
        streams: how many there are.
        device: where the batch is made.
        weighted: whether every image comes with its mask's confidence.
    """

    view: View
    streams: int
    device: torch.device
    weighted: bool = False

    def __call__(self, samples: Sequence[Labelled]) -> Batch:
        """Cut a random view of each; image, mask and confidence of one share theirs."""
        size = (len(samples), self.view.crop, self.view.crop)
        # Views are written straight into the batch: no copy of each, no stacking.
        images_BHW3 = torch.empty(*size, 3, dtype=torch.uint8, device=self.device)
        images_B3HW = images_BHW3.permute(0, 3, 1, 2)
        rasters = [
            torch.empty(size, dtype=torch.uint8, device=self.device)
            for _ in range(1 + self.weighted)  # masks, confidence
        ]
        for sample, *out in zip(samples, images_B3HW, *rasters, strict=True):
            parts = (part.to(self.device, non_blocking=True) for part in sample.tensors)
            generator = rng(*sample.item.key)
            random_view(*parts, view=self.view, generator=generator, out=tuple(out))
        items = tuple(sample.item for sample in samples)
        owners = [item.stream for item in items]
        sizes = tuple(owners.count(s) for s in range(self.streams))
        ids = tuple(sample.id for sample in samples)
        sure = rasters[1] if self.weighted else None
        return Batch(ids, images_B3HW, rasters[0], sizes, items, sure)


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

    For an NVIDIA GPU the workers only decode: views are cut there, in the order of the batches.
    For others they are cut by the workers.

    Raises:
        UserError: a file cannot be read.
    """
    images = LabelledImages(streams, classes)
    views = Views(view, len(streams), without_mps(device), images.weighted)
    if views.device.type == "cpu":
        yield from (batch.on(device) for batch in loader(images, plan, workers, views))
    else:
        yield from map(views, loader(images, plan, workers, list))
