"""SqueezeNet 1.0 with torchvision's ImageNet weights: small enough for a CPU.

Shape legend: B batch, K channels, h w grid.
"""

import torch
from torch import Tensor, nn

from pipeline.backbones import Geometry
from pipeline.layers import Scale

# SqueezeNet has no normalisation: the root mean square of its last activations on photographs is
# 19. Heads are made for inputs near 1, and hardly learn without this factor (docs/choices.md).
SCALE = 0.1


def build() -> tuple[nn.Module, Geometry]:
    """SqueezeNet 1.0, padded so that a side of 8k+1 gives k+1; last pooling dropped, scaled."""
    from torchvision import models

    layers = list(models.squeezenet1_0(weights=None).features)
    layers[0].padding = (3, 3)
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    for i in pools[:2]:
        layers[i] = nn.MaxPool2d(3, stride=2, padding=1)
    layers[pools[2]] = nn.Identity()
    layers[-1].expand3x3.dilation = (2, 2)
    layers[-1].expand3x3.padding = (2, 2)
    layers.append(Scale(SCALE))
    return nn.Sequential(*layers), Geometry(512, 8, corner=True, saliency="7")


def light() -> tuple[nn.Module, Geometry]:
    """The same without torchvision, for tensors from a file (pipeline.backbones)."""
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
