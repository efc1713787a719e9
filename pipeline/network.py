"""The strong-weak dual-branch network (§3.2, Fig. 3) and the way its grid is laid on the image.

Shape legend: B batch, C classes, K channels, H W image, h w grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.backbones import Backbone, Geometry, he_init
from pipeline.device import in_order

TOTAL_CONVOLUTIONS = 3  # neck and branch together, §3.2


def convolutions(count: int, channels: int, width: int, dilation: int) -> nn.Sequential:
    """`count` 3x3 convolutions with ReLU, the first from `channels` to `width`."""
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [
            nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
        ]
        channels = width
    return nn.Sequential(*layers)


class DualBranchNet(nn.Module):
    """Backbone, shared neck, and one branch for each kind of annotation.

    "The total number of convolution layers in the neck and subsequent branch is fixed" (§3.2):
    `neck_n` of the three are shared, each branch has the other 3 - neck_n and a 1x1 classifier.
    Branch 0 is the one kept for inference; with `branches=1` this is the single-branch network.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        branches: int = 2,
        neck_n: int = 0,
        width: int = 512,
        dilation: int = 4,
    ) -> None:
        """Build neck and branches on `backbone`, He-initialised.

        Raises:
            ValueError: `neck_n` is not in 0..3.
        """
        super().__init__()
        if not 0 <= neck_n <= TOTAL_CONVOLUTIONS:
            raise ValueError(f"neck_n must be in 0..{TOTAL_CONVOLUTIONS}, not {neck_n}")
        self.backbone = backbone
        channels = backbone.geometry.channels
        self.neck = convolutions(neck_n, channels, width, dilation)
        self.branches = nn.ModuleList()
        for _ in range(branches):
            branch = convolutions(
                TOTAL_CONVOLUTIONS - neck_n, width if neck_n else channels, width, dilation
            )
            classifier = nn.Conv2d(width, classes, 1)
            branch.apply(he_init)
            # Small first logits: the loss starts at log C whatever the width.
            nn.init.normal_(classifier.weight, std=0.01)
            nn.init.zeros_(classifier.bias)  # type: ignore[arg-type]
            self.branches.append(branch.append(classifier))
        self.neck.apply(he_init)

    def forward(self, images_B3HW: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
        """Logits on the grid; while training, of a batch whose parts belong to branch 0, 1, ...

        The paper runs every branch on all images and drops the half without annotations (Fig. 5);
        its gradients are those of sending through each branch only the part that counts, as here.

        Args:
            images_B3HW: the strong images, then the weak ones.
            sizes: how many images each branch owns, in order; sums to B. None: all go through
                branch 0, the strong one, as at inference.

        Returns:
            tensor with shape (B, C, h, w), in the order of the images.
        """
        features_BKhw = self.neck(self.backbone(images_B3HW))
        if sizes is None:
            logits_BChw: Tensor = self.branches[0](features_BKhw)
            return logits_BChw
        parts = torch.split(features_BKhw, list(sizes))
        return torch.cat([branch(part) for branch, part in zip(self.branches, parts, strict=True)])


def upsample(logits_BChw: Tensor, size: tuple[int, int], geometry: Geometry) -> Tensor:
    """Bilinear interpolation of grid logits to an image of (H, W), exact for the geometry.

    A corner grid spans pixels 0 to stride*(h-1), a centre grid stride*h pixels; whatever the
    grid overhangs is cut, whatever it leaves uncovered repeats the edge.
    """
    height, width = size
    h, w = logits_BChw.shape[-2:]
    short = geometry.stride - 1 if geometry.corner else 0
    span = [geometry.stride * h - short, geometry.stride * w - short]
    if in_order(logits_BChw):
        full = bilinear(logits_BChw, (span[0], span[1]), geometry.corner)
    else:
        full = F.interpolate(logits_BChw, size=span, mode="bilinear", align_corners=geometry.corner)
    pad = (0, max(0, width - span[1]), 0, max(0, height - span[0]))
    if any(pad):
        full = F.pad(full, pad, mode="replicate")
    return full[..., :height, :width]


def bilinear(values_BChw: Tensor, size: tuple[int, int], corner: bool) -> Tensor:
    """`F.interpolate(..., mode="bilinear", align_corners=corner)` as products over the two axes.

    A matrix product's gradient is one, too, and adds up in a fixed order on a GPU.
    """
    rows_Hh, columns_Ww = (
        axis_weights(length, count, corner).to(values_BChw)
        for length, count in zip(size, values_BChw.shape[-2:], strict=True)
    )
    return rows_Hh @ values_BChw @ columns_Ww.T


def axis_weights(length: int, count: int, corner: bool) -> Tensor:
    """What each of `count` points gives to each of `length` places, (length, count).

    >>> axis_weights(3, 2, corner=True).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    place_L = torch.arange(length, dtype=torch.float64)
    if corner:
        source_L = place_L * ((count - 1) / max(1, length - 1))
    else:
        source_L = ((place_L + 0.5) * (count / length) - 0.5).clamp(0, count - 1)
    point_N = torch.arange(count, dtype=torch.float64)
    return (1 - (source_L[:, None] - point_N).abs()).clamp(min=0)


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
