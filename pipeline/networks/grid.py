"""How a backbone's grid lies on the image, and resampling between the two.

Shape legend: B batch, C classes, H W image, h w grid, R rows of a band of the image.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 32  # of an image, for which scores are interpolated at a time: memory that is used again


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


def resize_rows(p_Chw: Tensor, size: tuple[int, int], rows: slice) -> Tensor:
    """Rows of the bilinear interpolation of scores (C, h, w) to (H, W): (C, R, W)."""
    height, width = size
    h, w = p_Chw.shape[-2:]
    if (h, w) == (height, width):
        return p_Chw[:, rows]
    place_R = torch.arange(rows.start, rows.stop, device=p_Chw.device)
    source_R = ((place_R + 0.5) * (h / height) - 0.5).clamp(0, h - 1)
    upper_R = source_R.floor().long()
    lower_R = (upper_R + 1).clamp(max=h - 1)
    share_R1 = (source_R - upper_R)[:, None]
    lines_CRw = p_Chw[:, upper_R] * (1 - share_R1) + p_Chw[:, lower_R] * share_R1
    if w == width:
        return lines_CRw
    return F.interpolate(lines_CRw[None], size=(len(place_R), width), mode="bilinear")[0]


def argmax_at(scores_Chw: Tensor, size: tuple[int, int]) -> Tensor:
    """The best class (H, W) of scores (C, h, w) that are interpolated to (H, W).

    By bands: at twelve megapixels the scores of twenty classes would take a gigabyte.
    """
    if scores_Chw.shape[-2:] == size:
        return best_class(scores_Chw)
    bands = (slice(top, min(size[0], top + ROWS)) for top in range(0, size[0], ROWS))
    return torch.cat([best_class(resize_rows(scores_Chw, size, band)) for band in bands])


def best_class(scores_CHW: Tensor) -> Tensor:
    """The first class (H, W) with the largest score."""
    return scores_CHW.max(dim=0).indices  # as argmax, which takes six times as long on a CPU


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
