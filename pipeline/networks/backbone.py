"""Backbones at a fixed output stride (§3.2): the last poolings dropped, later convolutions dilated.

Each is a module of pipeline/backbones, named as params.yaml names it, with a function `build`, and
`imagenet` where there are such weights for it (docs/adding-a-backbone.md). They import torchvision
inside their functions alone: it takes as long to import as torch.

Shape legend: B batch, H W image, h w grid, K channels.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from pipeline.base.errors import UserError
from pipeline.networks.grid import Geometry
from pipeline.networks.weights import imagenet_file, misfit, read_tensors
from pipeline.settings.params import Timm
from pipeline.settings.paths import resolve_user_path
from pipeline.settings.registry import BACKBONES

OWN = "backbone.body."  # how tensors of a body start in the files that this project writes


class Backbone(nn.Module):
    """A feature extractor, its geometry, and batch norm that stays frozen unless pretraining."""

    def __init__(self, body: nn.Module, geometry: Geometry, train_norm: bool = False) -> None:
        """Wrap `body`; `train_norm`: batch norm learns (only for the classifier on tags)."""
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

        With frozen statistics an image's features depend on that image alone, so the halves of a
        dual batch cannot influence each other.
        """
        super().train(mode)
        if not self.train_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def build_body(name: str, block: Timm | None) -> tuple[nn.Module, Geometry]:
    """A backbone's body with random weights, and its geometry.

    Args:
        name: a module of pipeline/backbones.
        block: its own block of params.yaml (`Params.backbone_block`), which its `build` is given.

    Raises:
        UserError: there is no such network as the block says.
    """
    build = BACKBONES.load(name).build
    made: tuple[nn.Module, Geometry] = build() if block is None else build(block)
    return made


def build_backbone(
    name: str, weights: str, train_norm: bool = False, block: Timm | None = None
) -> Backbone:
    """Build a backbone and fill it.

    Args:
        name: a module of pipeline/backbones.
        weights: `none` (He initialisation; timm's own for its networks), `imagenet` (the backbone's
            module says where), or a path: a torchvision or timm checkpoint, or a `.safetensors`
            file whose `backbone.*` tensors fit.
        train_norm: batch norm learns, too.
        block: as for `build_body`.

    Raises:
        UserError: the file is missing or cannot be downloaded, holds anything but tensors, or they
            do not fit the backbone; or there is no such network as the block says.
    """
    body, geometry = build_body(name, block)
    backbone = Backbone(body, geometry, train_norm)
    if weights != "none":
        _fill(backbone, name, weights, block)
    elif block is None:
        backbone.apply(he_init)
    return backbone


def he_init(module: nn.Module) -> None:
    """He initialisation of one convolution, biases zero."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _fill(backbone: Backbone, name: str, weights: str, block: Timm | None) -> None:
    """Copy tensors into `backbone.body`, every one of them, checked."""
    body = backbone.body
    if block is not None and weights == "imagenet":
        body.load_state_dict(BACKBONES.load(name).imagenet(block, body))
        return
    path = _find(name, weights)
    state = read_tensors(path, "give backbone_weights another file, imagenet, classifier or none")
    if block is not None and not any(key.startswith(OWN) for key in state):
        state = BACKBONES.load(name).renamed(state, body, block)
    found = _of_body(state, body)
    problem = misfit(found, body.state_dict())
    if problem:
        held = name if block is None else f"timm's {block.model}"
        raise UserError(f"backbone_weights: {path} does not hold {held}: {problem}")
    body.load_state_dict(found, strict=False)


def _find(name: str, weights: str) -> Path:
    """The file for `weights`."""
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

    Heads are left out: torchvision's `classifier` and `fc`, EfficientNet's `_conv_head` and `_fc`,
    and whatever is outside the backbone of a network of this project. Further layers of a deeper
    backbone stay in, so that it is refused.
    """
    parts = {name for name, _ in body.named_children()}
    found = {}
    for key, value in state.items():
        for prefix in (OWN, "features."):
            if key.startswith(prefix):
                found[key.removeprefix(prefix)] = value
        if key.split(".")[0] in parts:
            found[key] = value
    return found
