"""EfficientNet-Lite0 at stride 16: a third of the time that stride 8 takes, for CPUs."""

from pathlib import Path

from torch import nn

from pipeline.networks.efficientnet_lite import lite0, lite0_weights
from pipeline.networks.grid import Geometry


def build() -> tuple[nn.Module, Geometry]:
    """Lite0 at stride 16."""
    return lite0(16)


def imagenet() -> Path:
    """The package's file."""
    return lite0_weights()
