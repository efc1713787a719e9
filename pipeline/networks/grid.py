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

    @property
    def offset(self) -> float:
        """Pixels from the middle of the first pixel to grid point 0."""
        return 0.0 if self.corner else (self.stride - 1) / 2


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
    lines_CRw = lines_at(p_Chw, (place_R + 0.5) * (h / height) - 0.5)
    if w == width:
        return lines_CRw
    return F.interpolate(lines_CRw[None], size=(len(place_R), width), mode="bilinear")[0]


def lines_at(scores_hw: Tensor, places_R: Tensor) -> Tensor:
    """Linear interpolation between rows (..., h, w) at fractional places: (..., R, w).

    Places beyond the first or last row get that row.
    """
    last = scores_hw.shape[-2] - 1
    places_R = places_R.clamp(0, last)
    upper_R = places_R.floor().long()
    lower_R = (upper_R + 1).clamp(max=last)
    share_R1 = (places_R - upper_R)[:, None]
    return scores_hw[..., upper_R, :] * (1 - share_R1) + scores_hw[..., lower_R, :] * share_R1


def resize_grid(scores_BChw: Tensor, side: int, grid: int, size: int, geometry: Geometry) -> Tensor:
    """Grid scores of an image warped to `side`, on the grid of the same image warped to `size`.

    Args:
        scores_BChw: at the grid points of a square image.
        side: of that image, in pixels.
        grid: points along a side of the other grid.
        size: of the other image, in pixels.
        geometry: of both grids.

    Returns:
        tensor with shape (B, C, grid, grid); that of `scores_BChw` where `side` is `size`.
    """
    pixels_R = torch.arange(grid, device=scores_BChw.device) * geometry.stride + geometry.offset
    # Where these pixels lie in the other image, whose edges are the same.
    places_R = ((pixels_R + 0.5) * side / size - 0.5 - geometry.offset) / geometry.stride
    return lines_at(lines_at(scores_BChw, places_R).mT, places_R).mT


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
