"""The same backbones without torchvision, for networks whose every tensor comes from a file.

Importing torchvision brings torch's compiler with it and takes as long as importing torch, and a
prediction from the command line would wait for it. Training keeps torchvision's own constructors:
they draw random numbers, and other draws would make other networks of the same seed.

Shape legend: B batch, K channels, h w grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.backbones import BUILDERS, SQUEEZENET_SCALE, Backbone, Geometry
from pipeline.layers import Scale


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


def _vgg16() -> tuple[nn.Module, Geometry]:
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        dilation = 2 if block == 4 else 1
        for _ in range(depth):
            layers += [
                nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
            ]
            channels = width
        layers.append(nn.MaxPool2d(2, ceil_mode=True) if block < 3 else nn.Identity())
    return nn.Sequential(*layers), Geometry(channels, 8, corner=False, saliency="17")


def _squeezenet() -> tuple[nn.Module, Geometry]:
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
        Scale(SQUEEZENET_SCALE),
    )
    return body, Geometry(512, 8, corner=True, saliency="7")


LIGHT: dict[str, Callable[[], tuple[nn.Module, Geometry]]] = {
    **BUILDERS,  # ResNet-101 is torchvision's here, too: it is no network for a CPU
    "vgg16": _vgg16,
    "squeezenet1_0": _squeezenet,
}


def empty_backbone(name: str) -> Backbone:
    """A backbone whose tensors are to be filled; `name` is a key of LIGHT."""
    return Backbone(*LIGHT[name]())
