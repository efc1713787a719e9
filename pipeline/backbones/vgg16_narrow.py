"""A narrow VGG16 for small scenes, trained from scratch."""

from torch import nn

from pipeline.networks.grid import Geometry
from pipeline.networks.layers import BatchNorm

WIDTHS = (16, 32, 64, 64, 64)  # of the five blocks; VGG16 has 64, 128, 256, 512, 512


def build() -> tuple[nn.Module, Geometry]:
    """VGG16's thirteen convolutions, narrow, with batch norm, at stride 4 for small scenes.

    From scratch the plain network does not start to learn; batch norm mends that. Stride 4 gives
    a 64-pixel scene a grid of 16. Nothing is dilated: there are no pretrained filters whose reach
    must be kept, and a wider reach would blur the class activation maps over the whole scene.
    """
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate(zip(WIDTHS, (2, 2, 3, 3, 3), strict=True)):
        for _ in range(depth):
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                BatchNorm(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        if block < 2:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers), Geometry(channels, 4, corner=False, saliency="23")
