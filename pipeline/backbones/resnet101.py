"""ResNet-101 with torchvision's ImageNet weights: the paper's other backbone."""

from collections import OrderedDict

from torch import nn

from pipeline.networks.grid import Geometry


def build() -> tuple[nn.Module, Geometry]:
    """ResNet-101 with the strides of its last two stages replaced by dilation."""
    from torchvision import models

    net = models.resnet101(weights=None, replace_stride_with_dilation=[False, True, True])
    names = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    body = nn.Sequential(OrderedDict((name, getattr(net, name)) for name in names))
    return body, Geometry(2048, 8, corner=True, saliency="layer2")


def imagenet() -> str:
    """Address of the first of torchvision's ImageNet weights."""
    from torchvision.models import ResNet101_Weights

    return str(ResNet101_Weights.IMAGENET1K_V1.url)
