"""Random scale, flip and crop of an image with its mask (§4.1), and normalisation."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.manifest import IGNORE

# torchvision's ImageNet statistics, RGB in 0..1; every backbone here is used with them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
MEAN_COLOUR = tuple(round(255 * value) for value in MEAN)  # padding that normalises to about 0


@dataclass(frozen=True)
class View:
    """What a random view may be: its side in pixels and the range of scales."""

    crop: int
    scale_min: float
    scale_max: float


def random_view(
    image: Image.Image, *masks: Image.Image, view: View, generator: np.random.Generator
) -> tuple[Image.Image, ...]:
    """Scale, crop and flip one image and its masks alike, in a single resampling.

    Where the scaled image is smaller than the crop, the rest is mean colour and ignored.

    Args:
        image: RGB photograph.
        masks: indices in mode L at the same size; none, one or several.
        view: side and scales.
        generator: source of the scale, the place and the flip.

    Returns:
        image and masks of crop x crop pixels.
    """
    scale = generator.uniform(view.scale_min, view.scale_max)
    width, height = (max(1, round(side * scale)) for side in image.size)
    left, top = (
        int(generator.integers(min(0, view.crop - side), max(0, view.crop - side) + 1))
        for side in (width, height)
    )
    flip = bool(generator.integers(2))
    place = _Place(left, top, width, height, view.crop, flip)
    return (
        place.apply(image, Image.Resampling.BILINEAR, MEAN_COLOUR),
        *(place.apply(mask, Image.Resampling.NEAREST, IGNORE) for mask in masks),
    )


@dataclass(frozen=True)
class _Place:
    """A scaled image of width x height put at (left, top) on a square canvas."""

    left: int
    top: int
    width: int
    height: int
    crop: int
    flip: bool

    def apply(
        self, image: Image.Image, how: Image.Resampling, fill: int | tuple[int, ...]
    ) -> Image.Image:
        """Resample only the part that shows, which costs the crop and not the image."""
        x0, y0 = max(0, self.left), max(0, self.top)
        x1 = min(self.crop, self.left + self.width)
        y1 = min(self.crop, self.top + self.height)
        fx, fy = image.width / self.width, image.height / self.height
        box = (
            (x0 - self.left) * fx,
            (y0 - self.top) * fy,
            min((x1 - self.left) * fx, image.width),
            min((y1 - self.top) * fy, image.height),
        )
        part = image.resize((x1 - x0, y1 - y0), how, box=box)
        if (x1 - x0, y1 - y0) != (self.crop, self.crop):
            canvas = Image.new(image.mode, (self.crop, self.crop), fill)
            canvas.paste(part, (x0, y0))
            part = canvas
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.flip else part


def image_tensor(image: Image.Image) -> Tensor:
    """RGB image to a uint8 tensor of shape (3, H, W)."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).contiguous()


def mask_tensor(mask: Image.Image) -> Tensor:
    """Mask to a uint8 tensor of shape (H, W)."""
    return torch.from_numpy(np.array(mask, dtype=np.uint8))


def normalise(images_B3HW: Tensor) -> Tensor:
    """Bytes to zero mean and unit deviation of ImageNet, on the tensor's own device."""
    mean = torch.tensor(MEAN, device=images_B3HW.device)[:, None, None]
    std = torch.tensor(STD, device=images_B3HW.device)[:, None, None]
    return ((images_B3HW.float() / 255.0 - mean) / std).contiguous(
        memory_format=torch.channels_last
    )


def warp(image: Image.Image, side: int) -> Image.Image:
    """Resize to side x side, aspect ratio ignored, as SEC and DSRG do."""
    if image.size == (side, side):
        return image
    return image.resize((side, side), Image.Resampling.BILINEAR)
