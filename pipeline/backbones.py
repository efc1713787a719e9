"""Backbones at a fixed output stride (§3.2): the last poolings dropped, later convolutions dilated.

torchvision is imported only where its networks are wanted: it takes most of a second.

Shape legend: B batch, H W image, h w grid, K channels.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.layers import BatchNorm, Scale
from pipeline.paths import resolve_user_path
from pipeline.weights import imagenet_file, misfit, read_tensors


@dataclass(frozen=True)
class Geometry:
    """How a backbone's grid lies on the image.

    `corner`: grid point i sits on pixel stride*i (3x3 poolings with padding); otherwise on the
    middle of the stride x stride block i (2x2 poolings).
    """

    channels: int
    stride: int
    corner: bool
    saliency: str  # module inside `body`, about conv4_1, whose gradient tells objects from ground


class Backbone(nn.Module):
    """A feature extractor, its geometry, and batch norm that stays frozen unless pretraining."""

    def __init__(self, body: nn.Module, geometry: Geometry, train_norm: bool = False) -> None:
        """Wrap `body`; `train_norm` lets batch norm learn (only while it is trained on tags)."""
        super().__init__()
        self.body = body
        self.geometry = geometry
        self.train_norm = train_norm

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Map images to features of shape (B, K, ceil(H/stride), ceil(W/stride))."""
        features_BKhw: Tensor = self.body(images_B3HW)
        return features_BKhw

    def train(self, mode: bool = True) -> "Backbone":
        """Switch mode, but keep batch norm on its running statistics unless pretraining.

        With frozen statistics each image's features depend on that image alone, so the halves of
        a dual batch cannot leak into each other.
        """
        super().train(mode)
        if not self.train_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def _vgg16() -> tuple[nn.Module, Geometry]:
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


NARROW_WIDTHS = (16, 32, 64, 64, 64)  # of the five blocks; VGG16 has 64, 128, 256, 512, 512


def _vgg16_narrow() -> tuple[nn.Module, Geometry]:
    """VGG16's thirteen convolutions, narrow, with batch norm, at stride 4 for small scenes.

    From scratch the plain network does not start to learn; batch norm mends that. Stride 4 gives
    a 64-pixel scene a grid of 16. Nothing is dilated: there are no pretrained filters whose reach
    must be kept, and a wider reach would blur the class activation maps over the whole scene.
    """
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate(zip(NARROW_WIDTHS, (2, 2, 3, 3, 3), strict=True)):
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


def _resnet101() -> tuple[nn.Module, Geometry]:
    """ResNet-101 with the strides of its last two stages replaced by dilation."""
    from torchvision import models

    net = models.resnet101(weights=None, replace_stride_with_dilation=[False, True, True])
    names = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    body = nn.Sequential(OrderedDict((name, getattr(net, name)) for name in names))
    return body, Geometry(2048, 8, corner=True, saliency="layer2")


# SqueezeNet has no normalisation: the root mean square of its last activations on photographs is
# 19. Heads are made for inputs near 1, and hardly learn without this factor (docs/choices.md).
SQUEEZENET_SCALE = 0.1


def _squeezenet() -> tuple[nn.Module, Geometry]:
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
    layers.append(Scale(SQUEEZENET_SCALE))
    return nn.Sequential(*layers), Geometry(512, 8, corner=True, saliency="7")


BUILDERS: dict[str, Callable[[], tuple[nn.Module, Geometry]]] = {
    "vgg16": _vgg16,
    "vgg16_narrow": _vgg16_narrow,
    "resnet101": _resnet101,
    "squeezenet1_0": _squeezenet,
}


def build_backbone(name: str, weights: str, train_norm: bool = False) -> Backbone:
    """Build a backbone and fill it.

    Args:
        name: a key of BUILDERS.
        weights: `none` (He initialisation), `imagenet` (torchvision's, downloaded once), or a
            path: a torchvision checkpoint, or a `.safetensors` file whose `backbone.*` tensors fit.
        train_norm: batch norm learns, too.

    Raises:
        UserError: the file is missing or cannot be downloaded, holds anything but tensors, or they
            do not fit the backbone.
    """
    body, geometry = BUILDERS[name]()
    backbone = Backbone(body, geometry, train_norm)
    if weights == "none":
        backbone.apply(he_init)
    else:
        _fill(backbone, name, weights)
    return backbone


def he_init(module: nn.Module) -> None:
    """He initialisation of one convolution, biases zero."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _fill(backbone: Backbone, name: str, weights: str) -> None:
    """Copy tensors into `backbone.body`, every one of them, checked."""
    path = _find(name, weights)
    state = read_tensors(path, "give backbone_weights another file, imagenet, classifier or none")
    body = backbone.body
    found = _of_body(state, body)
    problem = misfit(found, body.state_dict())
    if problem:
        raise UserError(f"backbone_weights: {path} does not hold {name}: {problem}")
    body.load_state_dict(found, strict=False)


def _find(name: str, weights: str) -> Path:
    """The file that `weights` means."""
    if weights == "imagenet":
        return imagenet_file(name)
    path = resolve_user_path(weights)
    if not path.exists():
        raise UserError(
            f"backbone_weights: {path} is not there; give a file, imagenet, classifier or none"
        )
    return path


def _of_body(state: Mapping[str, Tensor], body: nn.Module) -> dict[str, Tensor]:
    """The tensors that belong to a backbone, by their name inside `Backbone.body`.

    Heads are left out: torchvision's `classifier` and `fc`, and all but the backbone of a network
    of this project. A deeper backbone's further layers stay in, so that it is told apart.
    """
    parts = {name for name, _ in body.named_children()}
    found = {}
    for key, value in state.items():
        for prefix in ("backbone.body.", "features."):
            if key.startswith(prefix):
                found[key.removeprefix(prefix)] = value
        if key.split(".")[0] in parts:
            found[key] = value
    return found
