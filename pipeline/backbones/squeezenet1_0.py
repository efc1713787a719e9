"""SqueezeNet 1.0 with torchvision's ImageNet weights: small enough for a CPU."""

from torch import nn

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


def imagenet() -> str:
    """Address of the first of torchvision's ImageNet weights."""
    from torchvision.models import SqueezeNet1_0_Weights

    return str(SqueezeNet1_0_Weights.IMAGENET1K_V1.url)
