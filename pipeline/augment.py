"""Random scale, flip and crop of an image with its masks (§4.1), and normalisation.

Photographs are uint8 tensors that lie in memory as decoders and convolutions like them, channels
last. Everything here runs on the device its tensors are on.
Shape legend: B batch, H W image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
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


@dataclass(frozen=True)
class Span:
    """One axis of a view: `taken` pixels of the image from `start` become `shown` from `place`."""

    start: int
    taken: int
    place: int
    shown: int


def draw_span(length: int, scale: float, crop: int, generator: np.random.Generator) -> Span:
    """A random window where the scaled image is longer than the crop, else a random place in it."""
    window = max(1, round(crop / scale))
    if length > window:
        return Span(int(generator.integers(length - window + 1)), window, 0, crop)
    shown = min(crop, max(1, round(length * scale)))
    return Span(0, length, int(generator.integers(crop - shown + 1)), shown)


def random_view(
    image_3HW: Tensor, *masks_HW: Tensor, view: View, generator: np.random.Generator
) -> tuple[Tensor, ...]:
    """Scale, crop and flip one image and its masks alike, in a single resampling.

    Only the part that shows is resampled, which costs the crop and not the image. Where the scaled
    image is smaller than the crop, the rest is mean colour and ignored.

    Args:
        image_3HW: RGB photograph, uint8.
        masks_HW: indices at the same size, uint8; none, one or several.
        view: side and scales.
        generator: source of the scale, the place and the flip.

    Returns:
        image (3, crop, crop) and masks (crop, crop), uint8.
    """
    scale = generator.uniform(view.scale_min, view.scale_max)
    height, width = image_3HW.shape[-2:]
    x = draw_span(width, scale, view.crop, generator)
    y = draw_span(height, scale, view.crop, generator)
    flip = bool(generator.integers(2))
    colour = torch.tensor(MEAN_COLOUR, dtype=torch.uint8, device=image_3HW.device)
    canvas = colour.repeat(view.crop, view.crop, 1).permute(2, 0, 1)
    views = [_put(canvas, resize(_take(image_3HW, x, y), (y.shown, x.shown)), x, y)]
    for mask_HW in masks_HW:
        part_11hw = _take(mask_HW, x, y)[None, None]
        part_HW = F.interpolate(part_11hw, size=(y.shown, x.shown), mode="nearest-exact")[0, 0]
        canvas = torch.full_like(mask_HW[:1, :1], IGNORE).repeat(view.crop, view.crop)
        views.append(_put(canvas, part_HW, x, y))
    return tuple(part.flip(-1) if flip else part for part in views)


def _take(image: Tensor, x: Span, y: Span) -> Tensor:
    return image[..., y.start : y.start + y.taken, x.start : x.start + x.taken]


def _put(canvas: Tensor, part: Tensor, x: Span, y: Span) -> Tensor:
    if part.shape == canvas.shape:
        return part
    canvas[..., y.place : y.place + y.shown, x.place : x.place + x.shown] = part
    return canvas


def resize(image_3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling that averages where it shrinks, as Pillow does it; uint8.

    torch has it for bytes on CPUs alone; elsewhere it goes over float32 and may round the other
    way.
    """
    if image_3HW.shape[-2:] == size:
        return image_3HW
    # A part of an image is no longer dense, and would come back with its channels apart.
    source = image_3HW[None].contiguous(memory_format=torch.channels_last)
    source = source if source.device.type == "cpu" else source.float()
    resized = F.interpolate(source, size=size, mode="bilinear", antialias=True)[0]
    return resized if resized.dtype == torch.uint8 else resized.round().clamp(0, 255).byte()


def warp(image_3HW: Tensor, side: int) -> Tensor:
    """Resize to side x side, aspect ratio ignored, as SEC and DSRG do."""
    return resize(image_3HW, (side, side))


def image_tensor(image: Image.Image) -> Tensor:
    """RGB image to a uint8 tensor of shape (3, H, W), channels last in memory."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)


def mask_tensor(mask: Image.Image) -> Tensor:
    """Mask to a uint8 tensor of shape (H, W)."""
    return torch.from_numpy(np.array(mask, dtype=np.uint8))


def stack_images(images: Sequence[Tensor]) -> Tensor:
    """Images of one size to a batch (B, 3, H, W), channels last in memory."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def normalise(images_B3HW: Tensor) -> Tensor:
    """Bytes to zero mean and unit deviation of ImageNet, on the tensor's own device."""
    B, _, H, W = images_B3HW.shape
    rows = images_B3HW.permute(0, 2, 3, 1).float().reshape(B * H, W * 3)
    # Whole rows of constants: three numbers alone would leave vector units idle.
    std = torch.tensor(STD, device=rows.device).repeat(W)
    mean = torch.tensor(MEAN, device=rows.device).repeat(W)
    normal = torch.addcmul(-mean / std, rows, 1.0 / (255.0 * std))
    return normal.view(B, H, W, 3).permute(0, 3, 1, 2)
