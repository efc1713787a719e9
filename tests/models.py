"""Small model files for tests, filled with random numbers."""

from pathlib import Path

import torch

from pipeline.batches.augment import MEAN, STD
from pipeline.data.manifest import voc_palette
from pipeline.model.model_file import ClassEntry, ModelInfo, inference_tensors, write_model
from pipeline.networks.backbone import build_backbone
from pipeline.settings.params import Timm
from pipeline.train.network import DualBranchNet

NAMES = ("background", "cat", "dog", "<b>bird</b>", "sea_horse")


def small_info(backbone: str = "vgg16_narrow", **changes: object) -> ModelInfo:
    colours = voc_palette(len(NAMES))
    values = {
        "format": 1,
        "variant": "dual",
        "backbone": backbone,
        "neck_n": 1,
        "width": 8,
        "dilation": 2,
        "classes": tuple(ClassEntry(name=n, colour=c) for n, c in zip(NAMES, colours, strict=True)),
        "mean": MEAN,
        "std": STD,
        "data_set": "shapes",
        "strong": 6,
        "weak": 10,
        "seed": 0,
        "params": {"dataset": "shapes"},
        "scores": None,
        "licence": "as the data set's",
        **changes,
    }
    return ModelInfo.model_validate(values)


def small_network(
    backbone: str = "vgg16_narrow", branches: int = 1, block: Timm | None = None
) -> DualBranchNet:
    """A network whose probabilities are far from even; ResNet's would overflow without norms.

    Lite0 has its installed weights: random ones add up rounding through its many thin layers.
    """
    torch.manual_seed(0)
    weights = "imagenet" if backbone.startswith("efficientnet") else "none"
    body = build_backbone(backbone, weights, block=block)
    network = DualBranchNet(body, len(NAMES), branches=branches, neck_n=1, width=8, dilation=2)
    for name, value in network.state_dict().items():
        if name.endswith("bn3.weight"):
            value.fill_(0.1)
        elif name.endswith("running_var") and not backbone.startswith("efficientnet"):
            value.uniform_(0.5, 1.5)
    with torch.no_grad():
        logits = network.eval()(torch.randn(1, 3, 40, 40))
        for branch in network.branches:
            branch[-1].weight.mul_(2.0 / logits.std())
    return network.requires_grad_(requires_grad=False)


def write_small(folder: Path, backbone: str = "vgg16_narrow") -> Path:
    path = folder / "model.safetensors"
    write_model(
        path, small_info(backbone), inference_tensors(small_network(backbone, 2).state_dict())
    )
    return path
