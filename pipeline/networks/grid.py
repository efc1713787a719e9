"""How a backbone's grid lies on the image, and resampling between the two.

Shape legend: B batch, C classes, H W image, h w grid.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """How a backbone's grid lies on the image.

    `corner`: grid point i sits on pixel stride*i (3x3 poolings with padding); otherwise on the
    middle of the stride x stride block i (2x2 poolings).
    """

    channels: int
    stride: int
    corner: bool
    saliency: str  # module inside `body`, about conv4_1, whose gradient tells objects from ground


def upsample(logits_BChw: Tensor, size: tuple[int, int], geometry: Geometry) -> Tensor:
    """Bilinear interpolation of grid logits to an image of (H, W), exact for the geometry.

    A corner grid spans pixels 0 to stride*(h-1), a centre grid stride*h pixels. What is too long is
    cut; where it is too short, the edge is repeated.
    """
    height, width = size
    h, w = logits_BChw.shape[-2:]
    short = geometry.stride - 1 if geometry.corner else 0
    span = [geometry.stride * h - short, geometry.stride * w - short]
    full = F.interpolate(logits_BChw, size=span, mode="bilinear", align_corners=geometry.corner)
    pad = (0, max(0, width - span[1]), 0, max(0, height - span[0]))
    if any(pad):
        full = F.pad(full, pad, mode="replicate")
    return full[..., :height, :width]


def downsample(images_B3HW: Tensor, grid: tuple[int, int], geometry: Geometry) -> Tensor:
    """The image's own pixels under the grid points, (B, 3, h, w); for 321 px it is img[::8, ::8].

    A centre grid takes the pixel just before the middle of each block.
    """
    height, width = images_B3HW.shape[-2:]
    offset = 0 if geometry.corner else geometry.stride // 2 - 1
    rows = (torch.arange(grid[0], device=images_B3HW.device) * geometry.stride + offset).clamp(
        max=height - 1
    )
    columns = (torch.arange(grid[1], device=images_B3HW.device) * geometry.stride + offset).clamp(
        max=width - 1
    )
    return images_B3HW[..., rows[:, None], columns]
