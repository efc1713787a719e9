"""VGG16 with torchvision's ImageNet weights: the paper's main backbone."""

from torch import nn

from pipeline.networks.grid import Geometry


def build() -> tuple[nn.Module, Geometry]:
    """VGG16 without its fully-connected layers; pool4 and pool5 dropped, conv5 dilated by 2."""
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        # Identity where dropped, so that torchvision's layer numbers stay valid.
        layers.append(nn.MaxPool2d(2, ceil_mode=True) if block < 3 else nn.Identity())
    for conv5 in (24, 26, 28):
        layers[conv5] = nn.Conv2d(512, 512, 3, padding=2, dilation=2)
    return nn.Sequential(*layers), Geometry(512, 8, corner=False, saliency="17")


def imagenet() -> str:
    """Address of the first of torchvision's ImageNet weights."""
    from torchvision.models import VGG16_Weights

    return str(VGG16_Weights.IMAGENET1K_V1.url)
