"""Augmentation: scale, flip, crop and normalise, against torchvision v2 and Albumentations."""

from collections.abc import Callable, Iterator

import albumentations
import cv2
import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks.inputs import scenes
from benchmarks.timing import Row, cores, in_turns, processes
from pipeline.batches.augment import MEAN, MEAN_COLOUR, STD, View, normalise
from pipeline.batches.labelled import Labelled, Views
from pipeline.batches.order import Item
from pipeline.data.manifest import IGNORE
from pipeline.data.randomness import rng

VIEW = View(328, 0.5, 1.5)
BATCH, BATCHES = 16, 4

# Decoded photographs, in the form that each side needs; the processes inherit them.
tensors: list[tuple[torch.Tensor, torch.Tensor]] = []
pictures: list[tuple[Image.Image, torch.Tensor]] = []
arrays: list[tuple[np.ndarray, np.ndarray]] = []


def ours(number: int) -> torch.Tensor:
    """One batch of ours, normalised."""
    items = (Item(0, place, (number, place)) for place in range(len(tensors)))
    samples = [Labelled(item, "", pair) for item, pair in zip(items, tensors, strict=True)]
    return normalise(Views(VIEW, 1, torch.device("cpu"))(samples).images)


def torchvision(number: int) -> torch.Tensor:
    """One batch with torchvision's transforms v2 on Pillow images."""
    generator = rng(number)
    fill = {Image.Image: MEAN_COLOUR, tv_tensors.Mask: IGNORE}
    crop = v2.RandomCrop(VIEW.crop, pad_if_needed=True, fill=fill)
    flip = v2.RandomHorizontalFlip()
    batch = []
    for image, mask in pictures:
        scale = generator.uniform(VIEW.scale_min, VIEW.scale_max)
        size = [round(image.height * scale), round(image.width * scale)]
        picture = v2.functional.resize(image, size)
        nearest = v2.InterpolationMode.NEAREST
        labels = v2.functional.resize(tv_tensors.Mask(mask), size, interpolation=nearest)
        picture, labels = flip(*crop(picture, labels))
        tensor = v2.functional.to_dtype(v2.functional.to_image(picture), torch.float32, scale=True)
        batch.append(v2.functional.normalize(tensor, list(MEAN), list(STD)))
    return torch.stack(batch)


def albumentation(_: int) -> torch.Tensor:
    """One batch with Albumentations on arrays."""
    cv2.setNumThreads(1)
    reach = (VIEW.scale_min - 1, VIEW.scale_max - 1)
    transform = albumentations.Compose(
        [
            albumentations.RandomScale(reach, p=1),
            albumentations.PadIfNeeded(VIEW.crop, VIEW.crop, fill=MEAN_COLOUR, fill_mask=IGNORE),
            albumentations.RandomCrop(VIEW.crop, VIEW.crop),
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Normalize(MEAN, STD),
        ]
    )
    made = [transform(image=image, mask=mask)["image"] for image, mask in arrays]
    return torch.from_numpy(np.stack(made))


def discard(make: Callable[[int], torch.Tensor], number: int) -> None:
    """Make a batch in a process and leave it there, so that its transfer does not count."""
    torch.set_num_threads(1)
    make(number)


def rows() -> Iterator[Row]:
    """Batches of 16 at 328 px from decoded photographs of 500 x 375; one process a core."""
    images, masks = scenes(BATCH)
    for image, mask in zip(images, masks, strict=True):
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        tensors.append((torch.from_numpy(pixels).permute(2, 0, 1), mask))
        pictures.append((Image.fromarray(pixels), mask))
        arrays.append((pixels, mask.numpy()))
    sides = (ours, torchvision, albumentation)
    with processes() as pool:

        def side(make: Callable[[int], torch.Tensor]) -> Callable[[], object]:
            return lambda: list(pool.map(discard, [make] * BATCHES, range(BATCHES)))

        seconds = in_turns(*(side(make) for make in sides))
    cost = [1000 * s / (BATCH * BATCHES) for s in seconds]
    for peer, name in ((cost[1], "torchvision v2 on Pillow"), (cost[2], "Albumentations")):
        yield Row(
            "augmentation to 328 px",
            f"{name}, {cores()} processes each",
            cost[0],
            peer,
            unit="ms an image",
            target=3.0,
        )
