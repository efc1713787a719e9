"""VGG16 with torchvision's ImageNet weights: the paper's main backbone."""

from torch import nn

from pipeline.backbones import Geometry


def build() -> tuple[nn.Module, Geometry]:
    """VGG16 without its fully-connected layers; pool4 and pool5 dropped, conv5 dilated by 2."""
    from torchvision import models

    layers: list[nn.Module] = []
    poolings = 0
    for layer in models.vgg.make_layers(models.vgg.cfgs["D"]):
        if isinstance(layer, nn.MaxPool2d):
            poolings += 1
            # Kept as Identity where dropped, so that torchvision's layer numbers stay valid.
            keep = poolings <= 3
            layers.append(nn.MaxPool2d(2, ceil_mode=True) if keep else nn.Identity())
        elif isinstance(layer, nn.Conv2d) and poolings >= 4:
            layers.append(nn.Conv2d(layer.in_channels, layer.out_channels, 3, 1, 2, dilation=2))
        else:
            layers.append(layer)
    return nn.Sequential(*layers), Geometry(512, 8, corner=False, saliency="17")


def light() -> tuple[nn.Module, Geometry]:
    """The same without torchvision, for tensors from a file (pipeline.backbones)."""
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


def imagenet() -> str:
    """Address of the first of torchvision's ImageNet weights."""
    from torchvision.models import VGG16_Weights

    return str(VGG16_Weights.IMAGENET1K_V1.url)
