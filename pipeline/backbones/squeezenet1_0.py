"""SqueezeNet 1.0 with torchvision's ImageNet weights: small enough for a CPU.

Shape legend: B batch, K channels, h w grid.
"""

import torch
from torch import Tensor, nn

from pipeline.networks.grid import Geometry
from pipeline.networks.layers import Scale

# SqueezeNet has no normalisation: the root mean square of its last activations on photographs is
# 19. Heads are made for inputs near 1, and hardly learn without this factor (docs/choices.md).
SCALE = 0.1


def build() -> tuple[nn.Module, Geometry]:
    """SqueezeNet 1.0, padded so that a side of 8k+1 gives k+1; last pooling dropped, scaled."""
    body = nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2, padding=3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),
        nn.MaxPool2d(3, stride=2, padding=1),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        nn.Identity(),
        Fire(512, 64, 256, dilation=2),
        Scale(SCALE),
    )
    # torchvision's constructor draws a classifier and every weight again. As many numbers are drawn
    # here, so that the heads of a seed start from the same values as with torchvision's network.
    classifier = nn.Conv2d(512, 1000, 1)
    for module in [*body.modules(), classifier]:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight)
    return body, Geometry(512, 8, corner=True, saliency="7")


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 convolution, then a 1x1 and a 3x3 one of it side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int, dilation: int = 1) -> None:
        """From `channels` over `squeezed` to twice `expanded` channels; named as torchvision's."""
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=dilation, dilation=dilation)

    def forward(self, features_BKhw: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 2 * expanded, h, w)."""
        squeezed = self.squeeze(features_BKhw).relu_()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1).relu_()


def imagenet() -> str:
    """Address of the first of torchvision's ImageNet weights."""
    from torchvision.models import SqueezeNet1_0_Weights

    return str(SqueezeNet1_0_Weights.IMAGENET1K_V1.url)
