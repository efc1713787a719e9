"""The segmentation network of stage dsrg.

Shape legend: B batch, C classes with background at 0, K channels, H W image, h w grid.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.manifest import Manifest
from pipeline.networks.backbone import Backbone, build_backbone, he_init
from pipeline.networks.layers import Dropout
from pipeline.networks.stored import load_network
from pipeline.settings.params import Params


class DsrgNet(nn.Module):
    """Backbone and DeepLab-v2's atrous spatial pyramid: parallel branches, logits summed."""

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        width: int,
        dilations: Sequence[int],
        dropout: float,
    ) -> None:
        """One branch a dilation: 3x3, 1x1 and classifier, dropout after the first two."""
        super().__init__()
        self.backbone = backbone
        channels = backbone.geometry.channels
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
                Dropout(dropout),
                nn.Conv2d(width, width, 1),
                nn.ReLU(inplace=True),
                Dropout(dropout),
                nn.Conv2d(width, classes, 1),
            )
            for dilation in dilations
        )
        self.heads.apply(he_init)
        for head in self.heads:
            nn.init.normal_(head[-1].weight, std=0.01)  # type: ignore[index]

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Logits on the grid, (B, C, h, w)."""
        features_BKhw = self.backbone(images_B3HW)
        return torch.stack([head(features_BKhw) for head in self.heads]).sum(dim=0)


def build_dsrg(params: Params, classes: int, weights: str) -> DsrgNet:
    """The network of this stage, its backbone filled from `weights`."""
    backbone = build_backbone(params.backbone, weights, block=params.backbone_block)
    dsrg = params.dsrg
    return DsrgNet(
        backbone, classes, width=dsrg.width, dilations=dsrg.dilations, dropout=dsrg.dropout
    )


def load_dsrg(params: Params, manifest: Manifest, folder: Path) -> DsrgNet:
    """The network this stage wrote into `folder`.

    Raises:
        UserError: it is missing or damaged, or params.yaml has another one.
    """
    network = build_dsrg(params, len(manifest.classes), "none")
    load_network(network, folder / "network.safetensors", "dsrg")
    return network
