"""Random scale, flip and crop of an image with its masks (§4.1), and normalisation.

Photographs are uint8 tensors, channels last in memory, as decoders and convolutions need them.
Everything here runs on the device its tensors are on; on CPUs much of it is compiled
(`pipeline.batches.views_cpu`).
Shape legend: B batch, H W image.
"""

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pipeline.data.manifest import IGNORE
from pipeline.devices.device import layout

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


class Span(NamedTuple):
    """One axis of a view: `taken` pixels of the image from `start` become `shown` from `place`."""

    start: int
    taken: int
    place: int
    shown: int


@dataclass(frozen=True)
class Window:
    """What a view shows of an image: both axes, with their places after the flip."""

    x: Span
    y: Span
    flip: bool


def draw_span(length: int, scale: float, crop: int, generator: np.random.Generator) -> Span:
    """A random window where the scaled image is longer than the crop, else a random place in it."""
    # Whole pixels of the image, so that image and masks are cut alike and resampled once.
    window = max(1, round(crop / scale))
    if length > window:
        return Span(int(generator.integers(length - window + 1)), window, 0, crop)
    shown = min(crop, max(1, round(length * scale)))
    return Span(0, length, int(generator.integers(crop - shown + 1)), shown)


def draw_window(height: int, width: int, view: View, generator: np.random.Generator) -> Window:
    """Scale, place and flip for an image of this size."""
    scale = generator.uniform(view.scale_min, view.scale_max)
    x = draw_span(width, scale, view.crop, generator)
    y = draw_span(height, scale, view.crop, generator)
    # Drawn last and always, so that the key's other draws do not depend on it.
    flip = bool(generator.integers(2))
    return Window(x._replace(place=view.crop - x.place - x.shown) if flip else x, y, flip)


def random_view(
    image_3HW: Tensor,
    *masks_HW: Tensor,
    view: View,
    generator: np.random.Generator,
    out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Scale, crop and flip one image and its masks alike, in a single resampling.

    Only the part that shows is resampled, which costs the crop and not the image. Where the scaled
    image is smaller than the crop, the rest is mean colour and ignored.

    Args:
        image_3HW: RGB photograph, uint8.
        masks_HW: indices at the same size, uint8; none, one or several.
        view: side and scales.
        generator: source of the scale, the place and the flip.
        out: tensors to write into, laid out as below, such as the places of a batch; new ones by
            default.

    Returns:
        image (3, crop, crop), channels last in memory, and masks (crop, crop), uint8.
    """
    window = draw_window(image_3HW.shape[-2], image_3HW.shape[-1], view, generator)
    size = (view.crop, view.crop)
    if out is None:
        image = image_3HW.new_empty(*size, 3).permute(2, 0, 1)
        out = (image, *(mask_HW.new_empty(size) for mask_HW in masks_HW))
    show_image(image_3HW, window, out[0])
    for mask_HW, canvas_HW in zip(masks_HW, out[1:], strict=True):
        show_mask(mask_HW, window, canvas_HW)
    return out


def show_image(image_3HW: Tensor, window: Window, canvas_3HW: Tensor) -> None:
    """Resample a window of an image into the canvas, mean colour around it."""
    part_3hw = resize(_take(image_3HW, window), (window.y.shown, window.x.shown))
    compiled = compiled_views(image_3HW.device)
    if compiled is None:
        colour = torch.tensor(MEAN_COLOUR, dtype=torch.uint8, device=canvas_3HW.device)
        _put(part_3hw, window, colour[:, None, None], canvas_3HW)
    else:
        part_h3w = part_3hw.permute(1, 2, 0).reshape(window.y.shown, -1).numpy()
        canvas_H3W = canvas_3HW.permute(1, 2, 0).view(canvas_3HW.shape[1], -1).numpy()
        place = window.x.place, window.y.place, window.flip
        compiled.lay_image(part_h3w, *place, MEAN_COLOUR, canvas_H3W)


def show_mask(mask_HW: Tensor, window: Window, canvas_HW: Tensor) -> None:
    """The nearest pixels of a window of a mask into the canvas, ignored around it."""
    compiled = compiled_views(mask_HW.device)
    if compiled is None:
        part_11hw = _take(mask_HW, window)[None, None]
        size = (window.y.shown, window.x.shown)
        part_hw = F.interpolate(part_11hw, size=size, mode="nearest-exact")[0, 0]
        _put(part_hw, window, torch.full_like(canvas_HW[:1, :1], IGNORE), canvas_HW)
    else:
        spans = tuple(window.x), tuple(window.y)
        arrays = mask_HW.contiguous().numpy(), canvas_HW.numpy()
        compiled.lay_mask(arrays[0], *spans, window.flip, IGNORE, arrays[1])


def _take(image: Tensor, window: Window) -> Tensor:
    x, y = window.x, window.y
    return image[..., y.start : y.start + y.taken, x.start : x.start + x.taken]


def _put(part: Tensor, window: Window, padding: Tensor, canvas: Tensor) -> None:
    x, y = window.x, window.y
    if part.shape != canvas.shape:
        canvas.copy_(padding)
    target = canvas[..., y.place : y.place + y.shown, x.place : x.place + x.shown]
    target.copy_(part.flip(-1) if window.flip else part)


def compiled_views(device: torch.device) -> ModuleType | None:
    """`pipeline.batches.views_cpu` where it can serve: on CPUs, with numba."""
    return _views_cpu() if device.type == "cpu" else None


@functools.cache
def _views_cpu() -> ModuleType | None:
    try:
        from pipeline.batches import views_cpu
    except ImportError:
        warnings.warn("numba is not installed: views are made in torch, slower", stacklevel=2)
        return None
    return views_cpu


def resize(image_3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling that averages where it shrinks, as Pillow does it; uint8.

    torch has it for bytes on CPUs alone; elsewhere it goes over float32 and may round the other
    way.
    """
    if image_3HW.shape[-2:] == size:
        return image_3HW
    # Of a batch of one that is not dense, or whose first stride is odd, channels come back apart.
    source_1HW3 = image_3HW.permute(1, 2, 0).contiguous()[None]
    source_1HW3 = source_1HW3 if source_1HW3.device.type == "cpu" else source_1HW3.float()
    source_13HW = source_1HW3.permute(0, 3, 1, 2)
    resized = F.interpolate(source_13HW, size=size, mode="bilinear", antialias=True)[0]
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
    rows_N3W = images_B3HW.permute(0, 2, 3, 1).reshape(B * H, W * 3)
    # Whole rows of constants: three numbers alone would leave vector units idle.
    std = torch.tensor(STD, device=rows_N3W.device).repeat(W)
    mean = torch.tensor(MEAN, device=rows_N3W.device).repeat(W)
    offset, gain = -mean / std, 1.0 / (255.0 * std)
    compiled = compiled_views(rows_N3W.device)
    if compiled is None:
        normal = torch.addcmul(offset, rows_N3W.float(), gain)
    else:
        normal = torch.empty(rows_N3W.shape)
        compiled.normalise_rows(*(x.numpy() for x in (rows_N3W, offset, gain, normal)))
    normal_B3HW = normal.view(B, H, W, 3).permute(0, 3, 1, 2)
    return normal_B3HW.contiguous(memory_format=layout(normal.device))
